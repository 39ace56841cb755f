"""Code that shuts a Python program off from the network, and makes its warnings errors."""

SHUT_OFF = """
import socket, warnings
from ipaddress import ip_address

def _local_only(connect):
    def guarded(self, address, *rest):
        if self.family != socket.AF_UNIX and not ip_address(address[0]).is_loopback:
            raise AssertionError(f"the network is asked for {address}")
        return connect(self, address, *rest)
    return guarded

def _local_names(resolve):
    def guarded(host, *rest, **options):
        if host not in {"localhost", "127.0.0.1", "::1"}:
            raise AssertionError(f"the network is asked for {host}")
        return resolve(host, *rest, **options)
    return guarded

socket.getaddrinfo = _local_names(socket.getaddrinfo)
socket.socket.connect = _local_only(socket.socket.connect)
socket.socket.connect_ex = _local_only(socket.socket.connect_ex)
warnings.simplefilter("error")
"""
NO_PROXY_LEADS_OUT = dict.fromkeys(
    ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9"
) | {"NO_PROXY": "127.0.0.1,localhost"}
"""For what does not ask by way of Python's sockets."""
