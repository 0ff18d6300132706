"""From the diary to the expected KPIs, without any code of the bridge."""
