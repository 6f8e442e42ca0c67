# Variables of the service openclaw-gateway, as `export NAME=value` (openclaw help environment). Everybody on this
# machine can read this file: secrets belong into /var/lib/openclaw/.openclaw/.env.
