//! Rules of RFC 9000 to 9002 that only whole connections can keep or break.
