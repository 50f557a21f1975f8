"""remote-delivery without a DNS: what names an address needs none."""
import os
import socket
import tempfile
import time

from postern import claim, run
from sink import Sink, free_port

anchor = tempfile.NamedTemporaryFile("w", suffix=".key")
anchor.write(". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n")
anchor.flush()
os.chmod(anchor.name, 0o644)
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 0))
sink = Sink("127.0.7.1", free_port())


def by_address(i):
    i.section(f"\n[relay all]\ndomains = *\nhost = 127.0.7.1:{sink.port}\n")
    begin = time.monotonic()
    i.send("bo@far.example")
    got = sink.wait(1, 10)
    took = time.monotonic() - begin
    claim("a [relay] with an address is not kept waiting by a DNS that is silent", len(got) == 1 and took < 3, took)


run(by_address, sets=[f"dns_trust_anchor_file = {anchor.name}", f"dns_servers = 127.0.0.1@{silent.getsockname()[1]}", "trusted_networks = 127.0.0.0/8", "mta_sts = no"])
