#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
image.py version IMAGE | config IMAGE

What is in a bzImage, without booting it: its version, as "uname -r" and "uname -v" have
it, or its configuration where CONFIG_IKCONFIG put that in. The header is that of
Documentation/arch/x86/boot.rst. Exit status: 0, 1 when there is no configuration in it,
2 when IMAGE is none that a 64-bit guest can boot; it prints a line with the reason.
"""
import bz2
import lzma
import struct
import subprocess
import sys
import zlib

# First bytes of what a kernel can be packed with: scripts/extract-vmlinux has them, too
PACKERS = [
    (b"\x1f\x8b\x08", lambda data: zlib.decompressobj(31).decompress(data)),
    (b"\xfd7zXZ\x00", lambda data: lzma.LZMADecompressor().decompress(data)),
    (b"\x5d\x00\x00", lambda data: lzma.LZMADecompressor().decompress(data)),
    (b"BZh", lambda data: bz2.BZ2Decompressor().decompress(data)),
    (b"\x28\xb5\x2f\xfd", lambda data: by_program("zstd", data)),
    (b"\x02\x21\x4c\x18", lambda data: by_program("lz4", data)),
    (b"\x89LZO", lambda data: by_program("lzop", data)),
]

# kernel/configs.c
CONFIG_START = b"IKCFG_ST"

# First bytes of what users mistake for a bzImage, and where they are
OTHERS = [
    (0, b"\x7fELF", "an ELF file, perhaps vmlinux: give arch/x86/boot/bzImage"),
    (0, b"\x27\x05\x19\x56", "an image for U-Boot"),
    (0, b"\xd0\x0d\xfe\xed", "an image for U-Boot"),
    (0x38, b"ARM\x64", "a kernel for arm64, not for x86_64"),
    (0x30, b"RISC", "a kernel for RISC-V, not for x86_64"),
    (0x38, b"RSC\x05", "a kernel for RISC-V, not for x86_64"),
    (0, b"!<arch>\n", "a package: give the name of Debian's package, or unpack it"),
    (0, b"\x1f\x8b", "packed with gzip, perhaps a kernel for another architecture"),
    (4, b"zimg", "an EFI image of another architecture"),
]


class NotAKernel(Exception):
    pass


class NoConfig(Exception):
    pass


def by_program(program, data):
    """Unpack formats that Python's library lacks. The size behind the data is not part of it."""
    try:
        done = subprocess.run([program, "-dcq"], input=data, capture_output=True, check=False)
    except FileNotFoundError as e:
        raise NoConfig(f"packed with {program}, which is not installed") from e
    if not done.stdout:
        raise NoConfig(f"{program} cannot unpack it: {done.stderr.decode().strip()}")
    return done.stdout


def check(image):
    """Raise NotAKernel unless @image is a bzImage for x86_64."""
    if image[0x1fe:0x200] == b"\x55\xaa" and image[0x202:0x206] == b"HdrS":
        protocol, = struct.unpack_from("<H", image, 0x206)
        # XLF_KERNEL_64
        if protocol < 0x20c or not image[0x236] & 1:
            raise NotAKernel("a kernel for 32 bits, not for x86_64")
        if len(image) < payload(image)[1]:
            raise NotAKernel("a bzImage that is cut off")
        return
    raise NotAKernel(next((what for at, magic, what in OTHERS if image.startswith(magic, at)),
                          "not a bzImage"))


def payload(image):
    """Return where the packed vmlinux begins and ends."""
    setup_sects = image[0x1f1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sects + 1) * 512 + offset
    return start, start + length


def version(image):
    pointer, = struct.unpack_from("<H", image, 0x20e)
    start = pointer + 0x200
    text = image[start:image.index(b"\0", start)].decode(errors="replace")
    if not pointer or not text[:1].isdigit():
        raise NotAKernel("a bzImage without a version")
    return text


def config(image):
    start, end = payload(image)
    packed = image[start:end]
    for magic, unpack in PACKERS:
        if packed.startswith(magic):
            try:
                vmlinux = unpack(packed)
            except (zlib.error, lzma.LZMAError, OSError) as e:
                raise NotAKernel(f"a bzImage whose kernel cannot be unpacked: {e}") from e
            break
    else:
        vmlinux = packed
    at = vmlinux.find(CONFIG_START)
    if at < 0:
        raise NoConfig("CONFIG_IKCONFIG is not set")
    return zlib.decompressobj(31).decompress(vmlinux[at + len(CONFIG_START):]).decode()


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("version", "config"):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    what, path = sys.argv[1:]
    try:
        with open(path, "rb") as f:
            image = f.read()
        check(image)
        print((version if what == "version" else config)(image), end="")
        return 0
    except OSError as e:
        status, why = 2, e.strerror
    except NotAKernel as e:
        status, why = 2, e
    except NoConfig as e:
        status, why = 1, e
    except (IndexError, ValueError, struct.error):
        status, why = 2, "not a bzImage"
    print(f"{path}: {why}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
