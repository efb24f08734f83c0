"""The benchmark: the sidecar beside a minimal aiohttp proxy, nginx and no proxy at all, interleaved in one run.

    .venv/bin/python -m tests.benchmarks [--quick] [--only SECTION] [--soak] [--json FILE]

What is measured, how, and how to read it: docs/benchmarks.md.

figures        statistics: medians, percentiles, ratios of pairs
schedule       when calls are to start, and which contestant's turn it is
calls          what is sent and answered, byte for byte
answers        reading answers on the agent's side
proc           what /proc tells of processes and of the machine
machine        facts, placement, what is missing, load that is not ours
processes      child processes: placed, stopped, measured, ended
provider       the emulated provider for streams, audio and sockets (a process)
collector      where spans go (a process)
floor          the minimal aiohttp proxy (a process)
nginx          configurations of nginx, as the provider of small answers and as a contestant
contestants    who is compared, and how each is started
captured       a sidecar that connections are led to, pods, and what both are compared with
ceiling        what no proxy can beat where bytes pass through (a process)
admissions     reviews of pods, and the webhook
rig            all of it, running
wrk            closed-loop load
generator      open-loop load (a process)
bulk           bytes in bulk (a process)
tables         how results are printed
targets        what is to be reached, and whether it is
sections       what is measured: chat, latency, streams, audio, tls, interception, splice, handshakes, admissions,
               start, soak
"""
