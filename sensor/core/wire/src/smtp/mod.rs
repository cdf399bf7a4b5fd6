//! SMTP, ESMTP and LMTP as both sides spoke it: two streams in, transactions out.
