"""Shares lineage: fetch, become one, push.

All network traffic goes through the git executable, so that credentials, proxies and protocols
are the user's own. What a remote had is kept under `refs/lineage-remotes/<remote>/`, outside of
`refs/lineage/`, which is what is pushed; nothing is ever fetched into a live ref.
"""
