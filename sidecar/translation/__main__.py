"""Prints ``docs/translation.md``: what can be said in which other dialect, found out by saying it.

python -m sidecar.translation > docs/translation.md
"""

import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from sidecar import dialects
from sidecar.translation import chat, speech, transcription

Expressible = Callable[[str, str], dict[str, str]]


class _Operation(NamedTuple):
    heading: str
    expressible: Expressible


_OPERATIONS: Final = (
    _Operation("Calls to language models", chat.expressible),
    _Operation("Calls to speak", speech.expressible),
    _Operation("Calls to transcribe", transcription.expressible),
)
_YES: Final = "yes"
_ABSENT: Final = "\u2013"

_PROSE: Final = """\
<!-- made by: python -m sidecar.translation > docs/translation.md -->

# Saying a call in another dialect

The agent calls one provider, by that one's own SDK. Another one can answer the call all the same: the request is said
in that one's dialect, and its answer comes back in the agent's. [Ordering](ordering.md) chooses whom to ask; this page
tells what can be said to whom. It is made by trying: for every feature below, a request that an agent would send is
translated for every other dialect.

## How a call is said elsewhere

- **The same dialect** (two accounts, two regions, two servers of your own): the agent's bytes go out as they are.
  Where another model or voice is to be asked for, that is changed where it stands, and nothing else.
- **Dialects of one family** (`openai`, `azure_openai`, `groq` and servers that are compatible with them): the same,
  as far as both know all fields of the request and the model does what they ask for.
- **Any other**: request and answer go through a neutral form. Every field of the request is translated, or is known
  to make no difference to the answer, or keeps the call from being sent there. A field that nobody knows is of the
  third kind.

What is said over a socket (streaming recognition and speech, realtime) is not translated: a socket can be opened at
another provider of the same dialect only.

Nothing is made up. What a provider does not tell is left out of its answer where the agent's SDK can do without it.
Where it cannot, the SDK gets what says nothing: a confidence of 1, or of 0 for silence; a segment without tokens. An
answer that lacks what was asked for is a failed answer, like one that breaks off, and never a short one.

An agent's credential goes to nobody but its own provider. What another provider says about its limits and requests
stays away from the agent.

## What is lost, and by whose leave

A provider that cannot do what a call asks for is no candidate for that call, and `sidecar explain last` says why. It
begins with one word, that of a feature (`prompt`, `word_timestamps`, `speed`, …) or of a field of the request
(`seed`, `logit_bias`, …). That word, written into `may_lose` of a candidate, is the leave to send such calls there
without it. For an answer that is a little worse rather than none:

```yaml
providers:
  deepgram:
    credential: ${env:DEEPGRAM_API_KEY}
  elevenlabs:
    credential: ${env:ELEVENLABS_API_KEY}
plugins:
  - use: ordering
    config:
      stt:
        candidates:
          - provider: openai
          - provider: deepgram
            model: nova-3
            may_lose: [prompt]
      tts:
        candidates:
          - provider: elevenlabs
            model: eleven_flash_v2_5
            voices: {alloy: 21m00Tcm4TlvDq8ikWAM, ash: pNInz6obpgDQGcFmaJgB}
            may_lose: [instructions]
```

There is no leave for what an answer cannot do without: `format` (no codec runs here), `length`, `model`, `voice`,
`call` and `body`. What nobody asked for in so many words and does not come all the same, such as the times of words
that Deepgram always gives, is lost without leave; so is what makes no difference. The verdict of the call tells of
both.

## Models and voices

The name of a model or of a voice means something to its own provider only. Between dialects of one family it is kept
if nothing else is said; everywhere else `model` names what to ask for, or `models` by the agent's own names. Speech
needs a `voice` or `voices`: without one, a call to speak is not sent to another dialect. Providers that choose a
model themselves are asked without one if none is named: for transcripts these are Deepgram, Google, Yandex and Azure
Speech.

- A model of Azure OpenAI is the name of a deployment.
- `projects/PROJECT/locations/LOCATION/recognizers/RECOGNIZER`, with `/models/MODEL` behind it or without, is a model
  of the second version of Google's speech recognition. It finds out languages and translates where the first does
  neither.
- AssemblyAI's transcripts come from `assemblyai-sync`, its speech from `assemblyai-tts`: two hosts, two providers.

## How to read the tables

Rows are what an agent can ask for in its own dialect; what it has no words for is not there. Columns are who is to
answer. A number, with `yes` or without, is that of a remark at the end of the section: what there is to it, or why
not. What all others have is said once, above each table. What is said of a provider at least one of its models can
do. Limits of length and size are those in the provider's documentation; a small plan may have lower ones.
"""


def page() -> str:
    """The document, Markdown."""
    return "\n".join((_PROSE, *(_section(operation) for operation in _OPERATIONS)))


def _section(operation: _Operation) -> str:
    """All tables of one operation, and the remarks that they share."""
    remarks: dict[str, int] = {}
    lines = [f"## {operation.heading}", ""]
    for source in dialects.names():
        found = {
            name: told for name in dialects.names() if name != source and (told := operation.expressible(source, name))
        }
        if found:
            lines += [f"### {operation.heading} in `{source}`", "", *_table(found, remarks), ""]
    lines += [f"### Remarks on {operation.heading[0].lower()}{operation.heading[1:]}", ""]
    lines += [f"{number}. {_escaped(remark)}" for remark, number in remarks.items()]
    return "\n".join((*lines, ""))


def _table(found: Mapping[str, Mapping[str, str]], remarks: dict[str, int]) -> Iterator[str]:
    """By target, what is told of each feature."""
    features = list(dict.fromkeys(feature for told in found.values() for feature in told))
    everywhere = [feature for feature in features if all(told.get(feature) == _YES for told in found.values())]
    if everywhere:
        yield textwrap.fill(f"All others have: {'; '.join(map(_escaped, everywhere))}.", 120, break_on_hyphens=False)
        yield ""
    rest = [feature for feature in features if feature not in everywhere]
    if not rest:
        return
    yield f"| | {' | '.join(f'`{target}`' for target in found)} |"
    yield f"|---{'|---' * len(found)}|"
    for feature in rest:
        cells = [_cell(told.get(feature), remarks) for told in found.values()]
        yield f"| {_escaped(feature)} | {' | '.join(cells)} |"


def _cell(said: str | None, remarks: dict[str, int]) -> str:
    if said is None:
        return _ABSENT
    if said == _YES:
        return _YES
    agreed = said.startswith(f"{_YES}, ")
    remark = said.removeprefix(f"{_YES}, ")
    number = remarks.setdefault(remark, len(remarks) + 1)
    return f"{_YES} [{number}]" if agreed else f"[{number}]"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    sys.stdout.write(page())
