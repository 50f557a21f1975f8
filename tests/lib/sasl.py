"""A client's side of AUTH, by the RFCs: PLAIN, SCRAM-SHA-256 with and without channel binding."""
import base64
import ctypes
import ctypes.util
import hashlib
import hmac


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def plain(user, password):
    return "AUTH PLAIN " + b64(f"\0{user}\0{password}")


def scram(s, user, password, cbind=b"n,,", mechanism="SCRAM-SHA-256", data=b""):
    """The last reply, and whether the server has proved that it knows the verifier. `data`: of the channel binding."""
    bare = f"n={user},r=clientnonce"
    challenge = s.cmd(f"AUTH {mechanism} " + b64(cbind + bare.encode()))
    if not challenge.startswith("334 "):
        return challenge, False
    first = base64.b64decode(challenge[4:]).decode()
    at = dict(x.split("=", 1) for x in first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(at["s"]), int(at["i"]))
    key = hmac.digest(salted, b"Client Key", "sha256")
    final = f"c={b64(cbind + data)},r={at['r']}"
    auth = f"{bare},{first},{final}".encode()
    signature = hmac.digest(hashlib.sha256(key).digest(), auth, "sha256")
    answer = s.cmd(b64(final + ",p=" + b64(bytes(a ^ b for a, b in zip(key, signature)))))
    if not answer.startswith("334 "):
        return answer, False
    proof = b"v=" + base64.b64encode(hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), auth, "sha256"))
    return s.cmd(""), base64.b64decode(answer[4:]) == proof


def scram_plus(s, user, password, kind, data):
    return scram(s, user, password, f"p={kind},,".encode(), "SCRAM-SHA-256-PLUS", data)


def salt(s, user):
    """What the server says about a user's salt; the dialogue is cancelled."""
    challenge = s.cmd("AUTH SCRAM-SHA-256 " + b64(f"n,,n={user},r=abc"))
    s.cmd("*")
    return base64.b64decode(challenge[4:]).decode().split(",", 1)[1]


class _SSLSocket(ctypes.Structure):
    """The beginning of CPython's own struct: there is no other way to the SSL * in it."""
    _fields_ = [("refcount", ctypes.c_ssize_t), ("type", ctypes.c_void_p), ("socket", ctypes.c_void_p), ("ssl", ctypes.c_void_p)]


def exporter(sock):
    """RFC 9266, which the module ssl does not offer: 32 bytes, or None where it is not to be had from here."""
    try:
        lib = ctypes.CDLL(ctypes.util.find_library("ssl"))
        at = ctypes.c_void_p(_SSLSocket.from_address(id(sock._sslobj)).ssl)
        lib.SSL_get_version.restype = ctypes.c_char_p
        lib.SSL_get_version.argtypes = [ctypes.c_void_p]
        if lib.SSL_get_version(at) != sock.version().encode():
            return None
        out, label = ctypes.create_string_buffer(32), b"EXPORTER-Channel-Binding"
        lib.SSL_export_keying_material.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t,
                                                   ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
        return out.raw if lib.SSL_export_keying_material(at, out, 32, label, len(label), None, 0, 0) == 1 else None
    except (OSError, AttributeError):
        return None
