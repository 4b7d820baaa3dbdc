"""The pause of a service's consumer group over HTTP."""

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from ordersaga.http import operating
from ordersaga.http.app import api
from ordersaga.http.openapi import problem
from ordersaga.http.triage_views import ConsumerView, Resume, Why
from ordersaga.parked import group_pause
from ordersaga.parked.group_pause import Pause

routes = APIBlueprint("consumer", __name__, abp_responses={"default": problem()})


def shown(pause: Pause | None) -> Response:
    since, actor, reason = pause or (None, None, None)
    group = api().service.group
    view = ConsumerView(group=group, paused=pause is not None, since=since, actor=actor, reason=reason)
    return operating.respond_with(view)


@routes.get("/consumer", responses={200: ConsumerView}, security=operating.readers)
def show_consumer() -> Response:
    """Whether the workers of the service receive, or a person has paused them"""
    with operating.connected() as connection:
        return shown(group_pause.current(connection))


@routes.post("/consumer/pause", responses={200: ConsumerView}, security=operating.operators)
def pause_consumer(body: Why) -> Response:
    """Pause all workers of the service: its messages stay in the queues, in order, until it resumes"""
    with operating.connected() as connection:
        pause, _ = group_pause.pause(connection, operating.operator(body.reason))
    return shown(pause)


@routes.post("/consumer/resume", responses={200: ConsumerView}, security=operating.operators)
def resume_consumer(body: Resume) -> Response:
    """End the pause: the workers of the service receive again"""
    with operating.connected() as connection:
        group_pause.resume(connection, operating.operator(body.reason))
    return shown(None)
