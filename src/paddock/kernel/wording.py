"""Small things that make a sentence right: number, article and the period at its end."""


def count_of(number: int, singular: str, plural: str = "") -> str:
    """Return `number` with its noun, which takes an `s` for more than one unless `plural` is given.

    >>> count_of(1, "fault"), count_of(2_000, "fault"), count_of(2, "event is", "events are")
    ('1 fault', '2,000 faults', '2 events are')
    """
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"


def with_article(noun: str) -> str:
    """Return `noun` after the article that it is said with.

    >>> with_article("model"), with_article("endpoint")
    ('a model', 'an endpoint')
    """
    return f"{'an' if noun[:1].lower() in 'aeio' else 'a'} {noun}"  # without `u`: a user, a unit


def end_sentence(text: str) -> str:
    """Return `text` with a period at its end, unless it ends as a sentence does already.

    >>> end_sentence("no rows"), end_sentence("Input X contains NaN.\\n")
    ('no rows.', 'Input X contains NaN.')
    """
    text = text.rstrip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
