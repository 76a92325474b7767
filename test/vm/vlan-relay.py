"""Joins one VLAN of a cable to a tap device of its own, for hosts whose kernel knows no VLANs (IEEE 802.1Q).

vlan-relay.py CABLE TAP ID: frames that come on CABLE with this ID go to TAP without it, and back.
"""
import fcntl
import os
import select
import socket
import struct
import sys

cable_name, tap_name, vlan_id = sys.argv[1], sys.argv[2], int(sys.argv[3])
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
SOL_PACKET, PACKET_AUXDATA, ETH_P_ALL, ETH_P_8021Q, PACKET_OUTGOING = 263, 8, 3, 0x8100, 4
TP_STATUS_VLAN_VALID = 1 << 4

tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", tap_name.encode(), IFF_TAP | IFF_NO_PI))
cable = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
cable.bind((cable_name, ETH_P_ALL))
cable.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
print("ready", flush=True)
while True:
    ready, _, _ = select.select([tap, cable], [], [])
    if tap in ready:
        frame = os.read(tap, 65536)
        cable.send(frame[:12] + struct.pack("!HH", ETH_P_8021Q, vlan_id) + frame[12:])
    if cable in ready:
        frame, extras, _, sender = cable.recvmsg(65536, 256)
        if sender[2] == PACKET_OUTGOING:
            continue
        found = None
        for level, kind, data in extras:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                # struct tpacket_auxdata: the kernel has taken the tag out of the frame.
                status, _, _, _, _, tci = struct.unpack_from("=IIIHHH", data)
                if status & TP_STATUS_VLAN_VALID:
                    found = tci & 0xFFF
        if found == vlan_id:
            os.write(tap, frame)
