"""The only way out: HTTP calls that strangers ask for, made by this process.

Whoever writes a composition or a trigger names the address, and this process stands where they
do not: beside the database, the cloud's metadata, other people's machines. So an address is
looked up once, judged (:mod:`funcflow.egress.addresses`), and the connection goes to exactly
what was judged (:mod:`funcflow.egress.client`).
"""
