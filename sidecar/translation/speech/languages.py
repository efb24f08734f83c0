"""Languages as requests and voices name them: BCP 47 tags, of which some providers want the region and others none."""

import re
from typing import Final

#: The region that is meant where none is said: the one of which most voices are.
_USUAL = """
    ar-XA bg-BG bn-IN ca-ES cs-CZ da-DK de-DE el-GR en-US es-ES et-EE eu-ES fi-FI fr-FR gl-ES gu-IN he-IL hi-IN hr-HR
    hu-HU id-ID it-IT ja-JP kk-KZ kn-IN ko-KR lt-LT lv-LV ml-IN mr-IN ms-MY nb-NO nl-NL pa-IN pl-PL pt-BR ro-RO ru-RU
    sk-SK sl-SI sr-RS sv-SE sw-KE ta-IN te-IN th-TH tr-TR uk-UA ur-IN uz-UZ vi-VN zh-CN
"""
_REGIONS: Final = {tag.partition("-")[0]: tag for tag in _USUAL.split()} | {"no": "nb-NO"}
_TAG: Final = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{1,8})*")
#: ``en-US-JennyNeural``, ``ru-RU-Wavenet-A``: Azure and Google.
_BEFORE: Final = re.compile(r"([a-z]{2,3})(?:-[A-Z][a-z]{3})?-([A-Z]{2})\b")
#: ``aura-2-thalia-en``: Deepgram.
_BEHIND: Final = re.compile(r"(?:aura|flux)-.*-([a-z]{2})")
#: ``en_paul_neutral``: Mistral's older voices, by country.
_COUNTRY: Final = re.compile(r"([a-z]{2})_[a-z]+_[a-z]+")
_OF_COUNTRY: Final = {"gb": "en-GB", "us": "en-US", "en": "en-US"}
#: [D] Yandex's list of voices, by language.
_YANDEX = {
    "ru-RU": "alena filipp ermil jane omazh zahar dasha julia lera masha marina alexander kirill anton madi_ru "
    "saule_ru zamira_ru zhanar_ru yulduz_ru",
    "kk-KZ": "amira madi saule zhanar",
    "uz-UZ": "nigora yulduz zamira",
    "en-US": "john",
    "de-DE": "lea",
    "he-IL": "naomi",
}
_OF_YANDEX: Final = {voice: language for language, voices in _YANDEX.items() for voice in voices.split()}
#: Languages that go by two names.
_SAME: Final = {"no": "nb", "cmn": "zh", "fil": "tl"}
#: Mark of Azure's voices that speak any language.
_ANY_LANGUAGE: Final = "Multilingual"


def is_tag(language: str) -> bool:
    return _TAG.fullmatch(language) is not None


def primary(language: str) -> str:
    """``ru`` of ``ru-RU``."""
    return language.partition("-")[0].lower()


def of_voice(voice: str | None) -> str | None:
    """The language that a voice's name tells, with its region if that is told too."""
    if not voice or _ANY_LANGUAGE in voice:
        return None
    if (found := _BEFORE.match(voice)) is not None:
        return f"{found[1]}-{found[2]}"
    if (found := _BEHIND.fullmatch(voice)) is not None:
        return found[1]
    if (found := _COUNTRY.fullmatch(voice)) is not None and found[1] in (*_OF_COUNTRY, *_REGIONS):
        return _OF_COUNTRY.get(found[1], found[1])
    return _OF_YANDEX.get(voice)


def differ(one: str | None, other: str | None) -> bool:
    """Whether both are known, and not the same but for the region."""
    return one is not None and other is not None and _spoken(one) != _spoken(other)


def _spoken(language: str) -> str:
    name = primary(language)
    return _SAME.get(name, name)


def with_region(language: str | None, voice: str | None) -> str | None:
    """*language* with a region: its own, else that of *voice*, else the usual one. None if there is none."""
    told = of_voice(voice)
    if language is None or ("-" not in language and told is not None and not differ(language, told)):
        language = told
    if language is None or "-" in language:
        return language
    return _REGIONS.get(language.lower())
