"""What a cell puts out, as the messages come in, kept small."""

import json
from typing import Any


class Outputs:
    """Outputs of one cell; what does not fit is cut, an error never."""

    def __init__(self, limits: dict[str, Any], room: int) -> None:
        self.kept: list[dict[str, Any]] = []
        self.size = 0
        self._text_room = limits["cell_output_kb"] * 1024
        self._room = room
        self._clear_next = False

    def add(self, message: dict[str, Any]) -> None:
        kind, content = str(message.get("msg_type")), message["content"]
        if kind == "clear_output":
            self._clear(wait=bool(content.get("wait")))
        elif kind in ("stream", "display_data", "execute_result", "error"):
            if self._clear_next:
                self._clear(wait=False)
            self._keep(kind, content)
        elif kind == "update_display_data":
            self._keep("display_data", content)

    def _clear(self, *, wait: bool) -> None:
        self._clear_next = wait
        if not wait:
            # An error is never cleared: without it a failed test would look like a passed one.
            self.kept = [output for output in self.kept if output["output_type"] == "error"]

    def _keep(self, kind: str, content: dict[str, Any]) -> None:
        if kind == "stream":
            self._keep_text(content)
        elif kind == "error":
            self.kept.append(make_error(content))
        else:
            data = content.get("data")
            data = {str(key): value for key, value in data.items()} if isinstance(data, dict) else {}
            size = len(json.dumps(data))
            if self.size + size > self._room:
                data = {"text/plain": "[output too large]"}
            else:
                self.size += size
            output: dict[str, Any] = {"output_type": kind, "data": data, "metadata": {}}
            self.kept.append(output)

    def _keep_text(self, content: dict[str, Any]) -> None:
        name = "stderr" if content.get("name") == "stderr" else "stdout"
        text = str(content.get("text", ""))[: self._text_room]
        if not text:
            return
        self._text_room -= len(text)
        self.size += len(text)
        if self._text_room == 0:
            text += "\n[…]\n"
        last = self.kept[-1] if self.kept else None
        if last and last["output_type"] == "stream" and last["name"] == name:
            last["text"] += text
        else:
            self.kept.append({"output_type": "stream", "name": name, "text": text})


def make_error(content: dict[str, Any]) -> dict[str, Any]:
    """An error output from an `error` message or an error reply, cut to a reasonable size."""
    lines = content.get("traceback")
    lines = lines if isinstance(lines, list) else []
    return {
        "output_type": "error",
        "ename": str(content.get("ename") or "Error")[:200],
        "evalue": str(content.get("evalue") or "")[:2000],
        "traceback": [str(line)[:4000] for line in lines[:60]],
    }
