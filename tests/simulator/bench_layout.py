"""Judge the layout of the bench's page by its boxes: nothing is clipped, covered, or beside the screen."""

from playwright.sync_api import Page

_MISTAKES = """() => {
  const found = [];
  const name = (one) => `${one.tagName} ${one.id || one.className} ${one.textContent.trim().slice(0, 30)}`;
  const isShown = (one) => {
    const box = one.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && !one.closest('svg, .hidden, option, script, noscript');
  };
  if (document.documentElement.scrollWidth > innerWidth) found.push('the page scrolls sideways');
  for (const one of [...document.querySelectorAll('body *')].filter(isShown)) {
    const box = one.getBoundingClientRect();
    const around = (one.parentElement.closest('section, header, .casing') ?? document.body).getBoundingClientRect();
    if (box.left < around.left - 1 || box.right > around.right + 1) found.push(`outside: ${name(one)}`);
    if (one.clientWidth && one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== 'inline')
      found.push(`too narrow: ${name(one)}`);
  }
  const room = document.getElementById('outbox-numbers').getBoundingClientRect();
  let whole = 0;
  for (const chip of document.querySelectorAll('#outbox-numbers .chip')) {
    const box = chip.getBoundingClientRect();
    if (box.top >= room.top && box.bottom <= room.bottom) whole++;
    else if (box.top < room.bottom && box.bottom > room.top) found.push(`cut: ${name(chip)}`);
  }
  if (!whole) found.push('no chip can be seen');
  const parts = 'main button, main input, main select, h2, h3, p, dd, dt, output, canvas, .numbers, header > *';
  const boxes = [...document.querySelectorAll(parts)].filter(isShown).map((one) => [one, one.getBoundingClientRect()]);
  boxes.forEach(([one, a], place) => {
    for (const [other, b] of boxes.slice(place + 1)) {
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 1 && down > 1 && !one.contains(other)) found.push(`${name(one)} overlaps ${name(other)}`);
    }
  });
  return found;
}"""
_SMALL = """() => [...document.querySelectorAll('button, input, select, summary, a[href]')].filter((one) => {
    const box = (one.type === 'checkbox' ? one.closest('label') : one).getBoundingClientRect();
    return box.width && Math.min(box.width, box.height) < 43.9; }).map((one) => one.outerHTML)"""


def layout_mistakes(tab: Page) -> list[str]:
    """Return a line for each mistake."""
    mistakes: list[str] = tab.evaluate(_MISTAKES)
    return mistakes


def small_targets(tab: Page) -> list[str]:
    """Return what a finger can hardly hit: what can be tapped and is smaller than 44 px."""
    targets: list[str] = tab.evaluate(_SMALL)
    return targets
