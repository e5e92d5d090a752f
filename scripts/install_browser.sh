#!/bin/sh
# Install Debian's Chromium and its driver where they are missing. Only CI calls this.
set -eu

if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then
	exit 0
fi
if [ "$(id -u)" -eq 0 ]; then
	as_root=
elif command -v sudo >/dev/null; then
	as_root='sudo -n'
else
	echo 'error: the browser tests need Chromium, and only root can install it' >&2
	echo 'hint: apt-get install chromium chromium-driver' >&2
	exit 1
fi
echo 'Installing Chromium for the browser tests'
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive \
	apt-get install -qq --yes --no-install-recommends chromium chromium-driver fonts-liberation
