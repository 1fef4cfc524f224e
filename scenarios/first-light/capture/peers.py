"""The parts of the capture set-up that no ready-made program gives.

    peers.py plain DEV          switch checksum and segmentation offload off, so that frames look
                                as they do on a wire: full checksums, no super-frames
    peers.py dns ADDRESS        a name server for one zone (dig asks it)
    peers.py vlan TAP DEV ID    an 802.1Q interface in user space: frames of TAP leave DEV with a
                                tag, tagged frames of DEV enter TAP without it
"""

import ctypes
import fcntl
import os
import select
import socket
import struct
import sys

SIOCETHTOOL = 0x8946
ETHTOOL_SRXCSUM, ETHTOOL_STXCSUM, ETHTOOL_STSO = 0x15, 0x17, 0x1F
ETHTOOL_SGSO, ETHTOOL_SGRO = 0x24, 0x2C
ETH_P_ALL, ETH_P_8021Q = 0x0003, 0x8100
SOL_PACKET, PACKET_AUXDATA = 263, 8
TP_STATUS_VLAN_VALID = 0x10
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000


def plain(dev):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for command in (
            ETHTOOL_STSO,
            ETHTOOL_SGSO,
            ETHTOOL_SGRO,
            ETHTOOL_STXCSUM,
            ETHTOOL_SRXCSUM,
        ):
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sQ", dev.encode(), ctypes.addressof(value))
            try:
                fcntl.ioctl(s, SIOCETHTOOL, request)
            except OSError as error:
                print(f"{dev}: ethtool command {command:#x}: {error}", file=sys.stderr)


def dns(address):
    zone = {
        "hive.example": ("192.0.2.1", "2001:db8::1"),
        "queen.hive.example": ("192.0.2.10", "2001:db8::10"),
        "drone.hive.example": ("192.0.2.11", "2001:db8::11"),
    }
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = socket.socket(family, socket.SOCK_DGRAM)
    server.bind((address, 53))
    while True:
        query, peer = server.recvfrom(512)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += query[at] + 1
        question = query[12 : at + 5]
        (kind,) = struct.unpack(">H", query[at + 1 : at + 3])
        found = zone.get(".".join(labels).lower())
        data = b""
        if found and kind == 1:
            data = socket.inet_aton(found[0])
        elif found and kind == 28:
            data = socket.inet_pton(socket.AF_INET6, found[1])
        answer = struct.pack(">HHHIH", 0xC00C, kind, 1, 300, len(data)) + data if data else b""
        flags = 0x8580 | (0 if found else 3)
        head = query[:2] + struct.pack(">HHHHH", flags, 1, 1 if data else 0, 0, 0)
        server.sendto(head + question + answer, peer)


def vlan(tap, dev, vlan_id):
    inner = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(inner, TUNSETIFF, struct.pack("16sH", tap.encode(), IFF_TAP | IFF_NO_PI))
    outer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    outer.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    outer.bind((dev, 0))
    while True:
        ready, _, _ = select.select([inner, outer], [], [])
        if inner in ready:
            frame = os.read(inner, 2048)
            tag = struct.pack(">HH", ETH_P_8021Q, int(vlan_id))
            outer.send(frame[:12] + tag + frame[12:])
        if outer in ready:
            frame, ancillary, _, source = outer.recvmsg(2048, 256)
            if source[2] == 4:  # PACKET_OUTGOING: our own
                continue
            for _, _, data in ancillary:
                status, _, _, _, _, tci, _ = struct.unpack("IIIHHHH", data[:20])
                if status & TP_STATUS_VLAN_VALID and tci & 0xFFF == int(vlan_id):
                    os.write(inner, frame)


if __name__ == "__main__":
    {"plain": plain, "dns": dns, "vlan": vlan}[sys.argv[1]](*sys.argv[2:])
