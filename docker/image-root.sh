#!/bin/sh
# What the image needs beside the binary: the user, the directories and the commands by Kafka's names. Takes the image's
# root as its argument, so that it also makes a root for a chroot.
set -eu
root=${1:-}
mkdir -p "$root/opt/kafka/bin" "$root/opt/kafka/config" "$root/etc/kafka/docker" "$root/etc/kafka/secrets" \
    "$root/mnt/shared/config" "$root/var/lib/kafka/data" "$root/tmp"
grep -q '^appuser:' "$root/etc/passwd" 2>/dev/null ||
    echo 'appuser:x:1000:1000::/home/appuser:/bin/bash' >>"$root/etc/passwd"
grep -q '^appuser:' "$root/etc/group" 2>/dev/null || echo 'appuser:x:1000:' >>"$root/etc/group"
chown -R 1000:1000 "$root/opt/kafka" "$root/etc/kafka" "$root/mnt/shared" "$root/var/lib/kafka"
for tool in $("$root/usr/bin/ottla" install-links --list); do
    ln -sf /usr/bin/ottla "$root/opt/kafka/bin/$tool"
done
