"""The kinds of record: what each is keyed by, how it is computed, and how it is compared."""
