"""The portal: sign-in, customers' and operators' pages over HTTP. One module in ``pages`` per topic."""
