"""An API over HTTP for the long callbacks of an app, for clients other than its pages.

    POST   {prefix}/callbacks/{name}     starts a job             start.py
    GET    {prefix}/jobs/{id}            how far it is, its end    jobs.py
    GET    {prefix}/jobs/{id}/events     the same as it comes      events.py
    DELETE {prefix}/jobs/{id}            cancels it                jobs.py
    GET    {prefix}/openapi.json         all this as OpenAPI       openapi.py

request ──► responder.py ──► authorization.py ──► one of these ──► replies.py ──► server
"""
