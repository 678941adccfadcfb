"""files.*, the addresses to which files are uploaded, and those from which they are read."""

from typing import Any

from aiohttp import BodyPartReader, web

from tests.slacklike import payloads
from tests.slacklike.records import File, Json
from tests.slacklike.refusals import Refused, bad_arguments
from tests.slacklike.talk import Draft, Talk
from tests.slacklike.web_api import Call, Method
from tests.slacklike.world import World

LOGIN = "<!DOCTYPE html><html><body>Sign in to Slack</body></html>"


class FileMethods:
    """Handlers for files."""

    def __init__(self, world: World, talk: Talk) -> None:
        self.world, self.talk = world, talk
        self._lengths: dict[str, int] = {}  # as they were announced

    def methods(self) -> dict[str, Method]:
        return {
            "files.info": Method(self.info, "files:read"),
            "files.getUploadURLExternal": Method(self.ask, "files:write"),
            "files.completeUploadExternal": Method(self.complete, "files:write"),
        }

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/upload/v1/{file}", self.upload)
        app.router.add_get("/files-pri/{file}/{name}", self.download)
        app.router.add_get("/signin", sign_in)

    def info(self, call: Call) -> Json:
        return {"file": payloads.file(self._file(call.args.get("file")), self.world.address)}

    def ask(self, call: Call) -> Json:
        """Return where to upload a file of this name and length."""
        length = int(call.args.get("length") or 0)
        if not call.args.get("filename") or length <= 0:
            raise bad_arguments("filename and length are required")
        file = self.world.file(str(call.args["filename"]), b"", call.install.bot)
        file.uploaded = False
        self._lengths[file.id] = length
        return {"upload_url": f"{self.world.address}/upload/v1/{file.id}", "file_id": file.id}

    def complete(self, call: Call) -> Json:
        """Share uploaded files in a conversation, with a comment, in a thread."""
        listed: list[Any] = call.args.get("files") or []
        files = [self._file(one.get("id")) for one in listed]
        if not files or not all(file.uploaded for file in files):
            raise Refused("file_not_found")
        for file, one in zip(files, listed, strict=True):
            file.title = one.get("title") or file.name
        target = str(call.args.get("channel_id") or call.args.get("channels") or "").split(",")[0]
        if target:
            channel = self.world.member_in(call.install, target)
            draft = Draft(str(call.args.get("initial_comment") or ""), str(call.args.get("thread_ts") or ""))
            draft.files, draft.by_app = files, True
            self.talk.post(channel, call.install.bot, draft)
        return {"files": [payloads.file(file, self.world.address) for file in files]}

    async def upload(self, request: web.Request) -> web.Response:
        """Take the bytes of a file, raw or as a form."""
        file = self.world.files.get(request.match_info["file"])
        if file is None or file.uploaded:
            return web.Response(status=404, text="not found")
        if request.content_type.startswith("multipart/"):
            part = await (await request.multipart()).next()
            assert isinstance(part, BodyPartReader)
            data = bytes(await part.read())
        else:
            data = await request.read()
        if len(data) != self._lengths[file.id]:
            return web.Response(status=400, text=f"Bad Request - {len(data)}")
        file.data, file.uploaded = data, True
        return web.Response(text=f"OK - {len(data)}")

    async def download(self, request: web.Request) -> web.Response:
        """Serve a file to who shows a token; everybody else is sent to a page to sign in, which answers 200."""
        file = self.world.files.get(request.match_info["file"])
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not self.world.app.is_good(token):
            raise web.HTTPFound("/signin")
        if file is None or file.deleted:
            return web.Response(status=404, text=LOGIN, content_type="text/html")
        return web.Response(body=file.data, content_type=file.mimetype)

    def _file(self, file_id: object) -> File:
        file = self.world.files.get(str(file_id))
        if file is None:
            raise Refused("file_not_found")
        if file.deleted:
            raise Refused("file_deleted")
        return file


async def sign_in(request: web.Request) -> web.Response:
    return web.Response(text=LOGIN, content_type="text/html")
