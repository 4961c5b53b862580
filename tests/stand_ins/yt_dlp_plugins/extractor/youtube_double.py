"""yt-dlp's own YouTube extractor, but what the site's player answers comes from the server that YOUTUBE_DOUBLE names.

It is a plugin of yt-dlp: a process with tests/stand_ins on its PYTHONPATH has it, with no change to what it runs.
"""

import os

from yt_dlp.extractor.youtube import YoutubeIE
from yt_dlp.extractor.youtube import _video as video

SERVER = os.environ["YOUTUBE_DOUBLE"]


class _YoutubeDoubleIE(YoutubeIE, plugin_name="double"):
    def _initial_extract(self, url, smuggled_data, webpage_url, webpage_client, video_id):
        answer = self._download_json(f"{SERVER}/player/{video_id}", video_id, "Downloading API JSON")
        if warning := answer.pop("warning", None):
            self.report_warning(warning)
        if "streamingData" in answer:
            answer["streamingData"] |= {
                video.STREAMING_DATA_CLIENT_NAME: "visionos",
                video.STREAMING_DATA_FETCH_GVS_PO_TOKEN: lambda **_: None,
                video.STREAMING_DATA_PLAYER_TOKEN_PROVIDED: False,
                video.STREAMING_DATA_IS_PREMIUM_SUBSCRIBER: False,
                video.STREAMING_DATA_AVAILABLE_AT_TIMESTAMP: 0,
            }
        return "", self._get_default_ytcfg(webpage_client), {}, False, [answer], None
