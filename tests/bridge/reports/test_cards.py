"""Test the cards that a printer gets. PDFium, which shares no code with Typst, reads and renders them."""

from __future__ import annotations

import random
import tomllib
import xml.etree.ElementTree as ET
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pypdfium2
import pytest

from bridge.reports.cards import texts
from bridge.reports.cards.sheet import HAN, Card, fonts_of
from tests.bridge.office import Office
from tests.support.seeds import seeded

if TYPE_CHECKING:
    from collections.abc import Callable

POINTS_A_MM = 72 / 25.4
QUESTIONS = {
    "en": "Are you satisfied with the work of client manager Elena Ivanova?",
    "ru": "Вы довольны работой клиентского менеджера Елены Ивановой?",
    "bg": "Доволни ли сте от работата на Елена Иванова?",
    "de": "Waren Sie mit der Rechtsschutzversicherungsgesellschaftsberatung zufrieden?",
    "ar": "هل أنت راضٍ عن الخدمة؟",
    "he": "האם אתה מרוצה מהשירות שקיבלת היום?",
    "hi": "क्या आप आज मिली सेवा से संतुष्ट हैं?",
    "zh": "您对客户经理埃莱娜的服务满意吗",
    "ja": "本日のスタッフの対応にご満足いただけましたか",
    "fr": "?",
}


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.chdir(tmp_path)
    office = Office(tmp_path)
    office.do("site", "set", "demo", "--timezone", "UTC")
    return office


class Printed(NamedTuple):
    """A page: its size in millimetres, its words in reading order, and how far its ink stays from the edges."""

    width_mm: float
    height_mm: float
    words: str
    margin_mm: float
    tops_mm: dict[str, float]  # height above the lower edge of the words asked for


def printed(file: Path, *wanted: str) -> Printed:
    with closing(pypdfium2.PdfDocument(file)) as document:
        assert len(document) == 1
        page = document[0]
        width, height = (side / POINTS_A_MM for side in page.get_size())
        text = page.get_textpage()
        tops = {}
        for word in wanted:
            place = text.search(word).get_next()
            assert place is not None, f"{word} is not on the card: {text.get_text_range()}"
            tops[word] = text.get_charbox(place[0])[3] / POINTS_A_MM
        bitmap = page.render(scale=2, grayscale=True)
        shades = bytes(bitmap.buffer)
        rows = [shades[at : at + bitmap.width] for at in range(0, bitmap.stride * bitmap.height, bitmap.stride)]
        inked_rows = [number for number, row in enumerate(rows) if min(row) < 200]
        inked = [
            (row.index(shade), len(row) - row.rindex(shade)) for row in rows for shade in [min(row)] if shade < 200
        ]
        left, right = min(one for one, _ in inked), min(other for _, other in inked)
        margin = min(left, right, inked_rows[0], bitmap.height - 1 - inked_rows[-1]) / 2 / POINTS_A_MM
        return Printed(width, height, " ".join(text.get_text_range().split()), margin, tops)


def card(office: Office, *options: object, question: str = "staff") -> Path:
    output = office.do("question", "card", question, *options)
    file = Path(output.split(" is written")[0])
    return office.folder / file


def parsed(file: Path) -> ET.Element:
    return ET.fromstring(file.read_text("utf-8"))  # noqa: S314 - our own file


def refused(office: Office, *options: object, status: int = 1) -> str:
    result = office.run("question", "card", *options)
    assert (result.status, result.out, result.err.count("\n")) == (status, "", 1), result
    assert not list(office.folder.glob("*.pdf"))
    return result.err


# -- the customer's card ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", QUESTIONS)
def test_a_customers_card_holds_the_question_and_the_answers_within_its_margins(office: Office, language: str) -> None:
    page = printed(card(office, "--lang", language, "--text", QUESTIONS[language]))
    assert (round(page.width_mm), round(page.height_mm)) == (148, 105)
    assert page.margin_mm > 6
    for letter in QUESTIONS[language]:  # their order depends on the reader
        assert letter in page.words


def test_the_question_is_above_the_answers_and_they_are_above_the_small_print(office: Office) -> None:
    words = ("Are you satisfied", "Yes", "No", "say", "press one button", "which button is pressed")
    tops = printed(card(office), *words).tops_mm
    assert tops["Are you satisfied"] > 60 > tops["Yes"] > 25
    assert tops["Yes"] == pytest.approx(tops["No"], abs=1)
    assert 20 > tops["press one button"] > tops["which button is pressed"] > 7


@pytest.mark.parametrize(("size", "width_mm"), [("A6", 148), ("a5", 210), ("A4", 297)])
def test_cards_have_the_sizes_of_paper(office: Office, size: str, width_mm: int) -> None:
    page = printed(card(office, "--size", size))
    assert page.width_mm == pytest.approx(width_mm, abs=0.01)
    assert page.width_mm / page.height_mm == pytest.approx(2**0.5, abs=0.006)


def test_the_text_is_the_newest_of_the_question_in_its_language(office: Office) -> None:
    office.do(
        "question",
        "set",
        "staff",
        "--drop-language",
        "en",
        "--drop-language",
        "ru",
        "--text",
        "bg=Харесва ли ви?",
        "--text",
        "pt-BR=Gostou?",
    )
    assert "Харесва ли ви?" in printed(card(office)).words
    brazilian = card(office, "--lang", "pt-br")
    assert brazilian.name == "staff-customer-pt-BR.pdf"
    assert "Gostou? Sim Não" in printed(brazilian).words
    assert "no text in 'en', only in bg, pt-BR" in office.run("question", "card", "staff", "--lang", "en").err


def test_words_for_the_answers_can_be_given(office: Office) -> None:
    given = ("--yes", "Ie", "--no", "Nage", "--cant-say", "Dim syniad")
    welsh = ("--lang", "cy", "--text", "Ydych chi'n fodlon?")
    assert "--yes, --no, --cant-say, or --texts FILE" in refused(office, "staff", *welsh)
    assert "--no, or" in refused(office, "staff", *welsh, *given[:2], *given[4:])
    assert "Ie Nage Dim syniad" in printed(card(office, *welsh, *given)).words


def test_every_language_has_three_words_that_fit(office: Office) -> None:
    shipped = tomllib.loads(texts.SHIPPED.read_text(encoding="utf-8"))
    assert len(shipped) > 50
    for tag, words in shipped.items():
        assert len({words["yes"], words["no"], words["cant_say"]}) == 3, tag
        assert texts.check_language(tag)
    for tag in ("fi", "kk", "pl", "fa", "zh-Hant-TW", "sr-Latn"):
        assert printed(card(office, "--lang", tag, "--text", "?")).margin_mm > 6


def test_control_characters_are_left_out(office: Office) -> None:
    drawing = card(office, "--lang", "en", "--text", "\x1b[31mA\tre\x00 you\n fine?", "--format", "svg")
    assert parsed(drawing)[0].text == "[31mA re you fine?"


def test_texts_are_never_markup(office: Office) -> None:
    question = '*Good* #panic("x") $x^2$ <script>&amp; `a` \\ // "q" @b = [c]'
    file = card(office, "--lang", "en", "--text", question)
    assert "".join(question.split()) in "".join(printed(file).words.split())
    drawing = card(office, "--lang", "en", "--text", question, "--format", "svg")
    assert parsed(drawing)[0].text == question


# -- the seller's card -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ru", "bg"])
def test_a_sellers_card_is_one_page_with_the_settings_of_his_consoles(office: Office, language: str) -> None:
    office.do("settings", "set", "survey_window_ms=12500", "--site", "demo")
    office.do("settings", "set", "ask_every=7", "--console", "demo/till-1", "--new")
    page = printed(card(office, "--for", "seller", "--lang", language, "--console", "demo/till-1"))
    assert (round(page.width_mm), round(page.height_mm)) == (148, 210)
    assert page.margin_mm > 6
    decimal = "." if language == "en" else ","
    for word in (f" 12{decimal}5 ", f" 1{decimal}5 ", " 7"):
        assert word in page.words
    others = printed(card(office, "--for", "seller", "--lang", language)).words
    assert " 20 " in others
    assert " 7" not in others


def test_a_sellers_card_in_another_language_needs_its_sentences(office: Office) -> None:
    german = ("--for", "seller", "--lang", "de", "--text", "Zufrieden?")
    err = refused(office, "staff", *german)
    assert "missing (title, ask," in err
    path = Path(err.split("written as in ")[1].removesuffix(".\n"))
    assert path.is_file()
    sentences = tomllib.loads(path.read_text("utf-8"))["en"]["seller"]
    lines = [f'{key} = "{key.upper()} {text}"' for key, text in sentences.items()]
    file = office.file("de.toml", "[DE.seller]\n" + "\n".join(lines))
    words = printed(card(office, *german, "--texts", file)).words
    assert all(key.upper() in words for key in sentences if key != "ask_one_in")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[de", "is not a TOML file"),
        ("de = 3", "'de', which is not a table of a language"),
        ("[de]\nja = 'Ja'", "'ja' in [de], which no card uses: use only yes, no,"),
        ("[de]\nyes = 3", "yes in [de] must be a text"),
        ("[de]\nyes = ' '", "yes in [de] must be a text"),
        ("[de]\nseller = 'x'", "must be a table, [de.seller]"),
        ("[en.seller]\nask = 'Wait {long_press_ms}'", "'{long_press_ms}' has no meaning"),
    ],
)
def test_an_invalid_file_of_texts_is_refused(office: Office, content: str, sentence: str) -> None:
    file = office.file("own.toml", content)
    assert sentence in refused(office, "staff", "--for", "seller", "--texts", file)


# -- drawings --------------------------------------------------------------------------------------------------------


def test_a_drawing_needs_no_fonts_and_has_its_size_and_title(office: Office) -> None:
    for options, size, start in (
        ((), ("148mm", "105mm"), "Are you satisfied"),
        (("--for", "seller", "--size", "A6"), ("105mm", "148mm"), "For the seller: how to ask: Are you"),
    ):
        root = parsed(card(office, "--format", "svg", *options))
        assert (root.get("width"), root.get("height"), root.get("role")) == (*size, "img")
        names = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert not names & {"text", "image", "foreignObject", "script"}
        title = root.find("{http://www.w3.org/2000/svg}title")
        assert title is not None
        assert (title.text or "").startswith(start)


def test_the_format_follows_the_file_name(office: Office) -> None:
    assert card(office, "--out", office.folder / "a.SVG").read_bytes().startswith(b"<svg")
    assert card(office, "--out", office.folder / "card", "--format", "pdf").read_bytes().startswith(b"%PDF")
    assert card(office, "--out", office.folder / "card").read_bytes().startswith(b"%PDF")


# -- cards that cannot be made ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        (("nothing",), 2, "no key question nothing"),
        (("staff", "--lang", "de"), 1, "no text in 'de', only in en, ru, bg"),
        (("staff", "--lang", "Deutsch", "--text", "Gut?"), 2, "not a language tag"),
        (("staff", "--text", "Gut?"), 2, "give --lang too"),
        (("staff", "--lang", "de", "--text", ""), 2, "1 to 300 characters"),
        (("staff", "--lang", "de", "--text", " "), 2, "1 to 300 characters"),
        (("staff", "--lang", "de", "--text", "x " * 151), 2, "1 to 300 characters"),
        (("staff", "--lang", "de", "--text", "x" * 300), 1, "no room for such long texts"),
        (("staff", "--yes", "y" * 60), 1, "no room for such long texts"),
        (
            ("staff", "--lang", "en", "--text", "\u0378?"),
            1,
            "No font on this machine has the letter \u0378 (U+0378): install",
        ),
        (("staff", "--site", "demo"), 2, "--site would change nothing on a card for the customer"),
        (("staff", "--for", "seller", "--no", "x", "--yes", "y"), 2, "--yes and --no would change nothing"),
        (("staff", "--size", "A7"), 2, "A6, A5, A4"),
        (("staff", "--format", "png"), 2, "pdf or svg"),
        (("staff", "--out", "a.svg", "--format", "pdf"), 2, "--format pdf contradicts the ending of a.svg"),
        (("staff", "--for", "boss"), 2, "customer or seller"),
        (("staff", "--font", "Comic Sans"), 1, "There is no font 'Comic Sans' on this machine: give one of"),
        (("staff", "--texts", "nothere.toml"), 1, "nothere.toml cannot be read"),
        (("staff", "--out", "no/card.pdf"), 1, "no/card.pdf cannot be written"),
    ],
)
def test_a_card_that_cannot_be_made_is_refused_in_one_sentence(
    office: Office, options: tuple[str, ...], status: int, sentence: str
) -> None:
    assert sentence in refused(office, *options, status=status)


WORDS: list[Callable[[random.Random], str]] = [
    lambda chance: "".join(chance.choices("abcdefghijklmnopqrstuvwxyzäöüß", k=chance.randint(1, 40))),
    lambda chance: "".join(chance.choices("абвгдежзиклмнопрстуфхцчшщъыьэюя", k=chance.randint(1, 25))),
    lambda chance: "".join(chance.choices("שלוםתודהבבקשה", k=chance.randint(1, 20))),
    lambda chance: "".join(chance.choices("مرحباشكرانعم", k=chance.randint(1, 20))),
    lambda chance: "".join(chance.choices("您对服务满意吗我们公司推荐", k=chance.randint(1, 60))),
    lambda chance: "".join(chance.choices("0123456789.,-/", k=chance.randint(1, 30))),
]


@pytest.mark.long
def test_no_text_ever_leaves_its_place(office: Office) -> None:
    chance = seeded(4711)
    made = number = 0
    while made < 14:
        number += 1
        kinds = chance.sample(WORDS, chance.randint(1, 3))
        question = " ".join(chance.choice(kinds)(chance) for _ in range(chance.randint(1, 40)))[:300].strip()
        given = (
            "--yes",
            chance.choice(kinds)(chance),
            "--no",
            "x",
            "--cant-say",
            " ".join("word" for _ in range(number % 24)),
        )
        result = office.run(
            "question", "card", "staff", "--lang", chance.choice(["en", "ar", "zh"]), "--text", question, *given
        )
        details = f"card {number}: {question!r} {given} {result}"
        if result.status:
            assert "no room for such long texts" in result.err, details
            continue
        made += 1
        page = printed(office.folder / result.out.split(" is written")[0])
        assert page.margin_mm > 6, details


def test_han_letters_have_the_form_of_their_country() -> None:
    families = [f"Noto Sans CJK {place}" for place in ("HK", "JP", "KR", "SC", "TC")] + ["DejaVu Sans"]
    first = {tag: fonts_of(Card(tag, "?"), families)[0] for tag in [*HAN, "zh-Hant-HK", "zh-CN", "en", "zhx"]}
    assert {tag: font[-2:] for tag, font in first.items()} == {
        "ja": "JP",
        "ko": "KR",
        "zh": "SC",
        "zh-hant": "TC",
        "zh-tw": "TC",
        "zh-hk": "HK",
        "zh-Hant-HK": "TC",
        "zh-CN": "SC",
        "en": "ns",
        "zhx": "ns",
    }
