"""Sockets: hello, acks, retries, refreshes, silence, and processes that share the app."""

import aiohttp
import pytest

from tests.slacklike.conftest import Bot


async def test_hello_says_how_many_sockets_there_are(server, http):
    links = []
    for number in (1, 2):
        headers = {"Authorization": f"Bearer {server.app.token}"}
        async with http.post(f"{server.url}apps.connections.open", headers=headers) as response:
            url = (await response.json())["url"]
        links.append(await http.ws_connect(url))
        hello = await links[-1].receive_json()
        assert (hello["type"], hello["num_connections"]) == ("hello", number)
        assert hello["connection_info"] == {"app_id": server.app.id}
        assert hello["debug_info"]["approximate_connection_time"] == 3600
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await http.ws_connect(url)
    server.rules.sockets = 2
    third = await http.ws_connect(server.socket_mode.ticket())
    assert [(await third.receive_json())["type"] for _ in range(2)] == ["hello", "disconnect"]
    for link in (*links, third):
        await link.close()


async def test_an_event_goes_to_one_socket_of_several(server, place):
    bots = [Bot(server), Bot(server)]
    for number, bot in enumerate(bots, 1):
        await bot.connect()
        await server.connected(number)
    for number in range(6):
        server.say(place.channel, place.ada, str(number))
    await server.until(lambda: sum(len(bot.heard) for bot in bots) == 6)
    assert sorted(bots[0].heard + bots[1].heard) == list("012345")
    assert [len(bot.heard) for bot in bots] == [3, 3]
    for bot in bots:
        await bot.end()


async def test_what_is_not_acknowledged_in_time_comes_again(server, bot, place):
    tries = []

    @bot.app.event("message")
    async def slow(event, request):
        tries.append(request.headers.get("x-slack-retry-num"))

    @bot.app.middleware
    async def refuse(body, next):
        if len(bot.bodies) == 3:
            await next()

    await bot.connect()
    server.say(place.channel, place.ada, "hello")
    (delivery,) = server.deliveries.all
    await server.until(delivery.over.is_set)
    assert [attempt.failure for attempt in delivery.attempts] == ["timeout", "timeout", ""]
    assert tries == [["2"]]
    assert len({body["event_id"] for body in bot.bodies}) == 1
    assert server.deliveries.unacknowledged() == []


async def test_an_event_nobody_was_there_for_waits_for_its_retry(server, bot, place):
    server.rules.retries = (60.0, 300.0)
    server.say(place.channel, place.ada, "is somebody there?")
    (delivery,) = server.deliveries.all
    await server.until(lambda: delivery.attempts and delivery.attempts[0].failure == "no_connection")
    await bot.connect()
    server.deliveries.retry_now()
    await server.until(lambda: bot.heard == ["is somebody there?"])
    await server.until(lambda: delivery.took < 20)


async def test_an_acknowledged_event_may_come_again(server, bot, place):
    await bot.connect()
    server.say(place.channel, place.ada, "twice")
    await server.until(lambda: bot.heard)
    server.deliveries.again(server.deliveries.all[0])
    await server.until(lambda: len(bot.heard) == 2)
    assert len({body["event_id"] for body in bot.bodies}) == 1


async def test_a_refresh_is_followed_by_a_new_socket(server, bot, place):
    await bot.connect()
    server.socket_mode.warn()
    await server.until(lambda: server.socket_mode.count("open") == 2)
    server.socket_mode.refresh()
    await server.until(lambda: server.socket_mode.count("open") == 3)
    server.say(place.channel, place.ada, "still there?")
    await server.until(lambda: bot.heard == ["still there?"])


@pytest.mark.parametrize("how", ["cut", "close"])
async def test_a_broken_socket_is_replaced(server, bot, place, how):
    await bot.connect(ping_interval=0.1)
    getattr(server.socket_mode, how)()
    await server.until(lambda: server.socket_mode.count("open") == 2)
    server.say(place.channel, place.ada, "back?")
    await server.until(lambda: "back?" in bot.heard)


async def test_a_silent_socket_answers_no_ping_and_is_replaced(server, bot, place):
    server.rules.retries = (0.0, 60.0)
    await bot.connect(ping_interval=0.2)
    await server.until(lambda: server.socket_mode.count("ping"))
    server.socket_mode.silence()
    said = server.say(place.channel, place.ada, "anybody?")
    await server.until(lambda: server.socket_mode.count("open") == 2)
    await server.until(lambda: len(server.socket_mode.ready) == 1)
    server.deliveries.retry_now()
    await server.until(lambda: bot.heard == ["anybody?"])
    assert server.deliveries.all[0].body["event"]["ts"] == said.ts


async def test_a_deaf_socket_that_answers_pings_is_noticed_by_nobody(server, bot, place):
    await bot.connect(ping_interval=0.05)
    server.socket_mode.silence(pongs=True)
    server.say(place.channel, place.ada, "anybody?")
    pings = server.socket_mode.count("ping")
    await server.until(lambda: server.socket_mode.count("ping") > pings + 5)
    assert (bot.heard, server.socket_mode.count("open"), await bot.handlers[0].client.is_connected()) == ([], 1, True)


async def test_a_socket_that_is_not_greeted_gets_no_events_though_its_pings_are_answered(server, bot, place):
    await bot.connect(ping_interval=0.05)
    server.socket_mode.greets = False
    server.socket_mode.cut()
    await server.until(lambda: server.socket_mode.open and not server.socket_mode.ready)
    pings = server.socket_mode.count("ping")
    await server.until(lambda: server.socket_mode.count("ping") > pings + 5)
    server.say(place.channel, place.ada, "anybody?")
    (delivery,) = server.deliveries.all
    await server.until(lambda: delivery.attempts and delivery.attempts[0].failure == "no_connection")
    assert bot.heard == []


async def test_slack_pings_too_and_the_app_answers(server, bot):
    await bot.connect()
    await server.until(lambda: server.socket_mode.count("pong") > 2)


async def test_while_nobody_gets_in_the_client_tries_on(server, bot, place):
    await bot.connect(ping_interval=0.1)
    server.socket_mode.shut = True
    server.socket_mode.cut()
    await server.until(lambda: server.socket_mode.count("turned away") > 1)
    server.socket_mode.shut = False
    await server.until(lambda: server.socket_mode.ready)


async def test_a_client_that_is_let_in_too_late_tries_its_old_address_for_ever(server, bot):
    server.rules.ticket_life = 0.05
    await bot.connect(ping_interval=0.1)
    server.socket_mode.shut = True
    server.socket_mode.cut()
    await server.until(lambda: server.socket_mode.count("turned away") > 1)
    server.socket_mode.shut = False
    tried = server.socket_mode.count("turned away")
    await server.until(lambda: server.socket_mode.count("turned away") > tried + 5)
    assert (server.socket_mode.ready, len(server.journal.of("apps.connections.open"))) == ([], 2)
    bot.handlers[0].client.wss_uri = None  # the way out
    await server.until(lambda: server.socket_mode.ready)


async def test_a_hundred_events_at_once_keep_their_order_on_the_wire(server, bot, place):
    server.rules.ack_within = 10.0
    await bot.connect()
    for number in range(100):
        server.say(place.channel, place.ada, str(number))
    await server.until(lambda: len(bot.heard) == 100)
    assert bot.heard == [str(number) for number in range(100)]
    await server.until(lambda: not server.deliveries.unacknowledged())
    assert max(delivery.took for delivery in server.deliveries.all) < 5
