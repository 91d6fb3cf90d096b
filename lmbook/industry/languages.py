"""How many tokens a page of a language takes, and so what it costs."""

from lmbook.industry import facts
from lmbook.industry.arguments import one_of, positive

LANGUAGES = {
    "zh": "tokens per Chinese character, DeepSeek",
    "en": "tokens per English character, DeepSeek",
}


def tokens_per_character(language: str) -> float:
    """Published tokens per character of "zh" or "en"; section 3.7 measures others."""
    one_of(LANGUAGES, language=language)
    return facts.load("constants")[LANGUAGES[language]].value


def page_tokens(characters: float, per_character: float) -> float:
    """Tokens of a page of so many characters, at so many tokens a character."""
    positive(characters=characters, per_character=per_character)
    return characters * per_character
