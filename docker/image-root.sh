#!/bin/sh
# Makes the image of a Debian root that has /usr/bin/ottla: the user, the directories, the scripts and the commands by
# Kafka's names. Takes the root as its argument, so that it also makes a root for a chroot.
set -eu
root=${1:-}
here=$(dirname "$0")
mkdir -p "$root/opt/kafka/bin" "$root/opt/kafka/config" "$root/etc/kafka/docker" "$root/etc/kafka/secrets" \
    "$root/etc/confluent/docker" "$root/mnt/shared/config" "$root/var/lib/kafka/data" "$root/home/appuser"
cp "$here/run" "$here/configureDefaults" "$here/configure" "$here/launch" "$here/bash-config" "$root/etc/kafka/docker/"
cp "$here/confluent/configure" "$here/confluent/ensure" "$root/etc/confluent/docker/"
for script in run launch bash-config; do
    ln -sf "/etc/kafka/docker/$script" "$root/etc/confluent/docker/$script"
done
tools=$("$root/usr/bin/ottla" install-links --list)
for tool in $tools; do
    ln -sf /usr/bin/ottla "$root/opt/kafka/bin/$tool"
done
echo 'appuser:x:1000:1000::/home/appuser:/bin/bash' >>"$root/etc/passwd"
echo 'appuser:x:1000:' >>"$root/etc/group"
# Writable by the user, and by the group of root, which is whom OpenShift starts containers as. A chroot made without
# privileges belongs to the one user that there is.
writable="$root/opt/kafka $root/etc/kafka $root/etc/confluent $root/mnt/shared $root/var/lib/kafka $root/home/appuser"
if [ "$(id -u)" = 0 ]; then
    chown -R 1000:0 $writable
fi
chmod -R ug+w $writable
