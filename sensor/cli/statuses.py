"""What the exit statuses of each command mean, as its help says it."""

REPLAY_STATUS = """
Exit status: 0 everything was read; 1 nothing could be read, the run could not be kept, or a setting is wrong; 2 wrong
usage; 3 read, but with damage or parts passed over, or alerts reached nobody; 130 interrupted, with the
summary of what was read so far; 141 the reader of the output went away.
"""

SNIFF_STATUS = """
Exit status: 0 captured until told to stop; 1 an interface can't be captured, or a setting is wrong; 2 wrong usage; 3
captured, but frames were dropped or an interface was away; 141 the reader of the output went away.
"""

RELAY_STATUS = """
Exit status: 0 relayed until told to stop; 1 the address can't be listened on, or a setting is wrong; 2 wrong usage; 3
relayed, but records could not be written; 141 the reader of the output went away.
"""

MILTER_STATUS = """
Exit status: 0 served until told to stop; 1 an address can't be listened on, or a setting is wrong; 2 wrong usage; 3
served, but mail passed unseen; 141 the reader of the output went away.
"""

JOURNAL_STATUS = """
Exit status: 0 took copies in until told to stop; 1 it can't listen or write, or a setting is wrong; 2 wrong usage; 3
copies were deferred, or could not be read for what they claim to be; 141 the reader of the output went away.
"""

RUN_STATUS = "Exit status: 0 ran until told to stop; 1 it could not start or go on, and says why; 2 wrong usage."

CHECK_STATUS = """
Exit status: 0 all is well; 1 it would work, less well than it could; 2 it would not work, or wrong usage. With
--probe-mail: 0 every tap saw the mail; 1 some did; 2 nothing is proven.
"""

EXPLAIN_STATUS = """
Exit status: 0 everything was read; 1 nothing was, or a setting or a part of the envelope is wrong; 2 wrong usage; 3
something could not be read, or no mail of an id was found; 141 the reader of the output went away.
"""

REPORT_STATUS = """
Exit status: 0 all that is kept was read; 1 nothing was, or what was asked for is wrong; 2 wrong usage; 3 parts of it
are damaged, and left out; 141 the reader of the output went away.
"""

ALERTS_STATUS = """
Exit status: 0 all was read; 1 nothing was, or a setting is wrong; 2 wrong usage; 3 lines could not be read, or evidence
is not as it was written.
"""

DONE_STATUS = "Exit status: 0 done; 1 it could not be done, and says why; 2 wrong usage."
