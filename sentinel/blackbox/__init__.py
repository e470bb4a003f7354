"""blackbox_exporter's modules, probed as it probes them, with Sentinel's own sockets."""
