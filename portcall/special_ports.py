"""The ports at which no webhook is received, but another protocol may obey what is in one.

They are the «bad ports» of the Fetch standard (https://fetch.spec.whatwg.org/#port-blocking),
which browsers refuse for the same reason.
"""

SPECIAL_PORTS = {
    0: "no service", 1: "tcpmux", 7: "echo", 9: "discard", 11: "systat", 13: "daytime",
    15: "netstat", 17: "quotes", 19: "chargen", 20: "FTP", 21: "FTP", 22: "SSH", 23: "Telnet",
    25: "SMTP", 37: "time", 42: "name", 43: "whois", 53: "DNS", 69: "TFTP", 77: "RJE",
    79: "finger", 87: "ttylink", 95: "supdup", 101: "hostname", 102: "ISO-TSAP", 103: "X.400",
    104: "DICOM", 109: "POP2", 110: "POP3", 111: "portmapper", 113: "ident", 115: "SFTP",
    117: "UUCP", 119: "NNTP", 123: "NTP", 135: "RPC", 137: "NetBIOS", 139: "NetBIOS",
    143: "IMAP", 161: "SNMP", 179: "BGP", 389: "LDAP", 427: "SLP", 465: "SMTP", 512: "exec",
    513: "login", 514: "shell", 515: "printers", 526: "tempo", 530: "courier", 531: "chat",
    532: "netnews", 540: "UUCP", 548: "AFP", 554: "RTSP", 556: "remotefs", 563: "NNTP",
    587: "SMTP", 601: "syslog", 636: "LDAP", 989: "FTP", 990: "FTP", 993: "IMAP", 995: "POP3",
    1719: "H.323", 1720: "H.323", 1723: "PPTP", 2049: "NFS", 3659: "SASL", 4045: "NFS locks",
    4190: "Sieve", 5060: "SIP", 5061: "SIP", 6000: "X11", 6566: "SANE", 6665: "IRC", 6666: "IRC",
    6667: "IRC", 6668: "IRC", 6669: "IRC", 6679: "IRC", 6697: "IRC", 10080: "Amanda",
}  # fmt: skip
