"""Codes of languages, from any of the ways in which wires write them into any other."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from sidecar.translation.contract import Inexpressible


class _Language(NamedTuple):
    code: str
    """ISO 639-1, or 639-3 where there is no shorter one."""
    name: str
    """As Whisper writes it (openai/whisper, tokenizer.py)."""
    long_code: str
    """ISO 639-3, as far as ElevenLabs writes it."""
    region: str
    """Where the language goes without saying; "-" where none of the providers that want a region has the language."""


#: What Whisper knows. Regions are those in Google's and Azure's tables of languages, the largest of several.
_LANGUAGES: Final = tuple(
    _Language(*(part.replace("_", " ") for part in line.split()))
    for line in """
    af afrikaans afr ZA
    am amharic amh ET
    ar arabic ara SA
    as assamese asm IN
    az azerbaijani aze AZ
    ba bashkir bak -
    be belarusian bel -
    bg bulgarian bul BG
    bn bengali ben IN
    bo tibetan bod -
    br breton bre -
    bs bosnian bos BA
    ca catalan cat ES
    cs czech ces CZ
    cy welsh cym GB
    da danish dan DK
    de german deu DE
    el greek ell GR
    en english eng US
    es spanish spa ES
    et estonian est EE
    eu basque eus ES
    fa persian fas IR
    fi finnish fin FI
    fo faroese fao -
    fr french fra FR
    gl galician glg ES
    gu gujarati guj IN
    ha hausa hau -
    haw hawaiian haw -
    he hebrew heb IL
    hi hindi hin IN
    hr croatian hrv HR
    ht haitian_creole hat -
    hu hungarian hun HU
    hy armenian hye AM
    id indonesian ind ID
    is icelandic isl IS
    it italian ita IT
    ja japanese jpn JP
    jv javanese jav ID
    ka georgian kat GE
    kk kazakh kaz KZ
    km khmer khm KH
    kn kannada kan IN
    ko korean kor KR
    la latin lat -
    lb luxembourgish ltz -
    ln lingala lin -
    lo lao lao LA
    lt lithuanian lit LT
    lv latvian lav LV
    mg malagasy mlg -
    mi maori mri -
    mk macedonian mkd MK
    ml malayalam mal IN
    mn mongolian mon MN
    mr marathi mar IN
    ms malay msa MY
    mt maltese mlt MT
    my myanmar mya MM
    ne nepali nep NP
    nl dutch nld NL
    nn nynorsk nno -
    no norwegian nor NO
    oc occitan oci -
    pa punjabi pan IN
    pl polish pol PL
    ps pashto pus AF
    pt portuguese por BR
    ro romanian ron RO
    ru russian rus RU
    sa sanskrit san -
    sd sindhi snd -
    si sinhala sin LK
    sk slovak slk SK
    sl slovenian slv SI
    sn shona sna -
    so somali som SO
    sq albanian sqi AL
    sr serbian srp RS
    su sundanese sun ID
    sv swedish swe SE
    sw swahili swa KE
    ta tamil tam IN
    te telugu tel IN
    tg tajik tgk -
    th thai tha TH
    tk turkmen tuk -
    tl tagalog fil PH
    tr turkish tur TR
    tt tatar tat -
    uk ukrainian ukr UA
    ur urdu urd PK
    uz uzbek uzb UZ
    vi vietnamese vie VN
    yi yiddish yid -
    yo yoruba yor -
    yue cantonese yue -
    zh chinese zho CN
    zu zulu zul ZA
    """.strip().splitlines()
)
_BY_CODE: Final = {language.code: language for language in _LANGUAGES}
_OTHERS: Final = (
    "cmn:zh fil:tl iw:he jw:jv nb:no nob:no tgl:tl in:id castilian:es flemish:nl mandarin:zh burmese:my valencian:ca"
)
#: Everything else that one of them goes by.
_OTHER_NAMES: Final[Mapping[str, str]] = {
    **{language.name: language.code for language in _LANGUAGES},
    **{language.long_code: language.code for language in _LANGUAGES},
    **dict(_pair.split(":") for _pair in _OTHERS.split()),
}


def short(written: str) -> str:
    """The language alone, as ISO 639-1 where there is such a code: ``ru`` of ``ru-RU``, ``rus`` or ``russian``."""
    whole = written.strip().lower().replace("_", "-")
    first = whole.partition("-")[0]
    return _OTHER_NAMES.get(whole) or _OTHER_NAMES.get(first, first)


def long(written: str) -> str:
    """ISO 639-3: ``rus``."""
    known = _BY_CODE.get(code := short(written))
    return code if known is None else known.long_code


def name(written: str) -> str:
    """In English, as Whisper says it: ``russian``."""
    known = _BY_CODE.get(code := short(written))
    return code if known is None else known.name


def regional(written: str, otherwise: Mapping[str, str] = {}) -> str:
    """With a region: ``ru-RU``. What already has one keeps it.

    Args:
        otherwise: by short code, what a provider writes in its own way.

    Raises:
        Inexpressible: no region is known for it.
    """
    parts = written.strip().replace("_", "-").split("-")
    code = short(written)
    if len(parts) > 1 and parts[-1]:
        region = parts[-1].upper() if len(parts[-1]) == 2 else parts[-1]
        return "-".join((parts[0].lower(), *(part.title() for part in parts[1:-1]), region))
    if code in otherwise:
        return otherwise[code]
    known = _BY_CODE.get(code)
    if known is None or known.region == "-":
        raise Inexpressible("language", "no region is known for it")
    return f"{_REGIONAL_CODES.get(code, code)}-{known.region}"


#: What has another code once it has a region.
_REGIONAL_CODES: Final = {"no": "nb", "tl": "fil"}
