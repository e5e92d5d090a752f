"""The process that opens model files: started, sandboxed, asked over a socketpair, ended with its parent."""
