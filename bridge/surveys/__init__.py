"""From events to surveys: ingest, fold, rebuild; and counts from tills and people counters."""
