"""Walking a tar stream that may be hostile, piece by piece, without keeping it and without unpacking it.

Only the tar that a plain packer writes is taken: files and folders, with a PAX header or a GNU long name for
a name that does not fit. Whatever has more than one meaning is refused, so that this walk and Python's
`tarfile`, which unpacks the archive later, cannot disagree on what is inside. Decoding one header block
is `tarfile`'s own.
"""

import enum
import re
import tarfile
from collections.abc import Callable

from atelier.exchange.errors import ExchangeError
from atelier.exchange.names import ArchivePaths, show_name
from atelier.texts import N_

MAX_HEADER_BYTES = 16 * 1024
MAX_ZEROS_AT_END = 1024 * 1024

_FILE_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE)
_LINKS = N_("“%(name)s” is a link. Put the file itself there.")
_DEVICES = N_("“%(name)s” is not a file but a device or a pipe. Remove it.")
_SPARSE = N_("“%(name)s” is a file with holes (sparse). Save it anew as an ordinary file, or remove it.")
_OTHER = N_("“%(name)s” is of a kind that cannot be handed in. Only files and folders can.")
_HEADER = N_("The archive has an extra header “%(name)s” that is not taken. Hand in from Atelier's sidebar.")
_KIND_TEXTS = {
    tarfile.LNKTYPE: _LINKS,
    tarfile.SYMTYPE: _LINKS,
    tarfile.GNUTYPE_LONGLINK: _LINKS,
    tarfile.CHRTYPE: _DEVICES,
    tarfile.BLKTYPE: _DEVICES,
    tarfile.FIFOTYPE: _DEVICES,
    tarfile.GNUTYPE_SPARSE: _SPARSE,
}
# What says nothing about where a file begins, how long it is or what it is. `size` and `linkpath` do.
_HARMLESS_PAX_KEYS = frozenset({"path", "mtime", "atime", "ctime", "uid", "gid", "uname", "gname"})
_SPARSE_KEY = re.compile(rb"\d (?:GNU\.sparse|SUN\.holes)")
_SPARSE_NAME = re.compile(rb"GNU\.sparse\.name=([^\n]*)\n")
_PAX_RECORD = re.compile(rb"(\d{1,6}) ([^=\x00\n]{1,64})=")


class _State(enum.Enum):
    HEADER = enum.auto()
    LONG_NAME = enum.auto()
    SKIP = enum.auto()
    END = enum.auto()


class TarWalk:
    """Feed it a tar stream in pieces of any size; ExchangeError is raised at the first thing not allowed.

    `file_count` and `file_bytes` count regular files as their headers declare them.
    """

    def __init__(self, max_paths: int, max_file_bytes: int) -> None:
        self.file_count = 0
        self.file_bytes = 0
        self._max_file_bytes = max_file_bytes
        self._paths = ArchivePaths(max_paths)
        self._state = _State.HEADER
        self._missing = tarfile.BLOCKSIZE
        self._collected = bytearray()
        self._long_name: str | None = None
        self._header_before = False
        self._payload_bytes = 0
        self._read_payload: Callable[[bytes], str | None] = _read_gnu_name
        self._zeros = 0

    def feed(self, piece: bytes) -> None:
        """Go on with the next bytes of the stream."""
        rest = memoryview(piece)
        while rest:
            taken = rest[: self._missing] if self._state is not _State.END else rest
            rest = rest[len(taken) :]
            if self._state is _State.END:
                self._check_zeros(taken)
                continue
            self._missing -= len(taken)
            if self._state is not _State.SKIP:
                self._collected += taken
            if not self._missing:
                self._step()

    def finish(self) -> None:
        """Say that the stream has ended. Raises `broken_archive` when it cannot have, or holds no file."""
        if self._state is not _State.END:
            raise broken(N_("The archive is cut off: its end is missing. Send it again."))
        if not self.file_count:
            raise broken(N_("There is no file in the archive."))

    def _step(self) -> None:
        block, state = bytes(self._collected), self._state
        self._collected.clear()
        if state is _State.HEADER:
            self._read_header(block)
        elif state is _State.LONG_NAME:
            self._take_long_name(block)
        else:
            self._expect(_State.HEADER, tarfile.BLOCKSIZE)

    def _expect(self, state: _State, count: int) -> None:
        self._state, self._missing = state, count

    def _read_header(self, block: bytes) -> None:
        if not any(block):
            if self._header_before:
                raise broken(N_("The archive is damaged. Send it again."))
            self._state = _State.END
            return
        header = _decode_header(block)
        if header.type in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
            self._open_long_name(header)
        elif header.type in (*_FILE_TYPES, tarfile.DIRTYPE):
            self._take_entry(header)
        else:
            self._refuse_kind(header)

    def _open_long_name(self, header: tarfile.TarInfo) -> None:
        if self._header_before or not 0 < header.size <= MAX_HEADER_BYTES:
            raise broken(N_("The archive is damaged. Send it again."))
        self._header_before = True
        self._payload_bytes = header.size
        self._read_payload = _read_pax_name if header.type == tarfile.XHDTYPE else _read_gnu_name
        self._expect(_State.LONG_NAME, _whole_blocks(header.size))

    def _take_long_name(self, block: bytes) -> None:
        # `tarfile` reads on into the padding: what stands there would count for it.
        if any(block[self._payload_bytes :]):
            raise broken(N_("The archive is damaged. Send it again."))
        self._long_name = self._read_payload(block[: self._payload_bytes])
        self._expect(_State.HEADER, tarfile.BLOCKSIZE)

    def _take_entry(self, header: tarfile.TarInfo) -> None:
        name = header.name if self._long_name is None else self._long_name
        is_folder = header.type == tarfile.DIRTYPE
        if is_folder and header.size:
            raise broken(N_("The archive is damaged. Send it again."))
        self._paths.add(name.removesuffix("/") if is_folder else name, is_folder)
        self._long_name, self._header_before = None, False
        if not is_folder:
            self._count(header.size)
        if header.size:
            self._expect(_State.SKIP, _whole_blocks(header.size))
        else:
            self._expect(_State.HEADER, tarfile.BLOCKSIZE)

    def _count(self, size: int) -> None:
        self.file_count += 1
        self.file_bytes += size
        if self.file_bytes > self._max_file_bytes:
            text = N_("Unpacked, the files have more than the allowed %(limit_mb)d MB. Remove large files.")
            raise ExchangeError(413, "too_large", text, limit_mb=self._max_file_bytes // 1_000_000)

    def _refuse_kind(self, header: tarfile.TarInfo) -> None:
        name = header.name if self._long_name is None else self._long_name
        raise _kind_not_allowed(_KIND_TEXTS.get(header.type, _OTHER), name)

    def _check_zeros(self, taken: memoryview) -> None:
        self._zeros += len(taken)
        if self._zeros > MAX_ZEROS_AT_END or any(taken):
            raise broken(N_("There is something behind the end of the archive. Send it again."))


def broken(text: str) -> ExchangeError:
    """Return the refusal of an archive that is damaged or ambiguous."""
    return ExchangeError(422, "broken_archive", text)


def _kind_not_allowed(text: str, name: str) -> ExchangeError:
    return ExchangeError(422, "kind_not_allowed", text, name=show_name(name))


def _decode_header(block: bytes) -> tarfile.TarInfo:
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError) as error:
        raise broken(N_("The archive is damaged. Send it again.")) from error
    # A folder in the oldest format is a file whose name ends in a slash; `tarfile` has turned it into one.
    if header.size < 0 or (header.type == tarfile.DIRTYPE and block[156:157] != tarfile.DIRTYPE):
        raise broken(N_("The archive is damaged. Send it again."))
    return header


def _whole_blocks(size: int) -> int:
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _read_gnu_name(payload: bytes) -> str:
    name, _, rest = payload.partition(b"\0")
    if any(rest):
        raise broken(N_("The archive is damaged. Send it again."))
    return name.decode("utf-8", "surrogateescape")


def _read_pax_name(payload: bytes) -> str | None:
    """Return the path in a PAX header (POSIX 1003.1, pax format: records ``length key=value``), if any."""
    _check_not_sparse(payload)
    values: dict[str, bytes] = {}
    while payload:
        match = _PAX_RECORD.match(payload)
        length = int(match[1]) if match else 0
        if not match or not match.end() < length <= len(payload) or payload[length - 1 : length] != b"\n":
            raise broken(N_("The archive is damaged. Send it again."))
        key = match[2].decode("ascii", "backslashreplace")
        _check_pax_key(key, values)
        values[key] = payload[match.end() : length - 1]
        if b"\n" in values[key]:  # `tarfile` looks for some keys at the beginning of any line
            raise broken(N_("The archive is damaged. Send it again."))
        payload = payload[length:]
    path = values.get("path")
    return None if path is None else path.decode("utf-8", "surrogateescape")


def _check_pax_key(key: str, values: dict[str, bytes]) -> None:
    if key not in _HARMLESS_PAX_KEYS:
        raise _kind_not_allowed(_HEADER, key)
    if key in values:
        raise broken(N_("The archive is damaged. Send it again."))


def _check_not_sparse(payload: bytes) -> None:
    if _SPARSE_KEY.search(payload):
        name = _SPARSE_NAME.search(payload)
        raise _kind_not_allowed(_SPARSE, name[1].decode("utf-8", "replace") if name else "?")
