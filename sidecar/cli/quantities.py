"""Times and sizes for people: three digits are enough."""

import datetime as dt


def seconds(value: float | None) -> str:
    """``0.13ms``, ``132ms``, ``1.20s``, ``2m05s``, ``3h12m``; ``-`` for none."""
    if value is None:
        return "-"
    if value < 0.9995:
        milliseconds = value * 1000
        digits = 2 if milliseconds < 0.995 else 1 if milliseconds < 9.95 else 0
        return f"{milliseconds:.{digits}f}ms"
    if value < 99.95:
        return f"{value:.{2 if value < 9.995 else 1}f}s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    minutes = whole // 60
    return f"{minutes // 60}h{minutes % 60:02d}m"


def size(value: int) -> str:
    """``812B``, ``1.1kB``, ``23kB``, ``4.2MB``: powers of 1000, as networks count."""
    if value < 1000:
        return f"{value}B"
    scaled = float(value)
    for unit in ("kB", "MB", "GB"):
        scaled /= 1000
        if scaled < 9.95:
            return f"{scaled:.1f}{unit}"
        if scaled < 999.5:
            return f"{scaled:.0f}{unit}"
    return f"{scaled:.0f}GB"


def moment(at_ns: int) -> dt.datetime:
    """Wall-clock time here, from ns since the epoch."""
    return dt.datetime.fromtimestamp(at_ns / 1e9).astimezone()


def clock(at_ns: int) -> str:
    """``12:03:04.125``"""
    return moment(at_ns).strftime("%H:%M:%S.%f")[:-3]
