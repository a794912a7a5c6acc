#!/bin/sh
# Installs Debian's RabbitMQ without letting its service start: the tests run nodes of their own.
set -eu

policy=/usr/sbin/policy-rc.d
restore() {
    rm -f "$policy"
    if [ -e "$policy.kept" ]; then mv "$policy.kept" "$policy"; fi
}
trap restore EXIT
trap 'exit 1' HUP INT TERM

if [ -e "$policy" ] && [ ! -e "$policy.kept" ]; then mv "$policy" "$policy.kept"; fi
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -o DPkg::Lock::Timeout=120 -q -y --no-install-recommends rabbitmq-server
