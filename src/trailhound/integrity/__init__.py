"""Integrity: whether logs are whole, proven offline from CloudTrail's signed digests.

    places.py       where an object stood in its bucket, told from where its copy lies
    digest.py       a digest: its fields, the text that is signed
    keys.py         public keys, fingerprints, signatures     key_files.py  the files they come in
    fetch.py        keys from AWS, once
    reading.py      a folder → digests, hashes of logs, calls that switch trails
    chain.py        digests: signature, place, links          logs.py       log files against what digests list
    coverage.py     periods, holes and what explains them     query_results.py   results of CloudTrail Lake
    verify.py       joins them: from a folder to a verdict    rows.py       the verdict as tables of the lake
    prove.py        the verb
    report.py       the verdict as a document                 faults.py     every fault there is

Three states, never mixed up: verified (proven), broken (proven not to be what was delivered), unverifiable
(nothing here proves either).
"""
