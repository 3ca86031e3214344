"""What Python tests share: sessions with the built artifact loaded, and other processes."""

from .processes import Child, run_python, start_python
from .sessions import EXTENSION, commands_in_log, connect, record

__all__ = ["EXTENSION", "Child", "commands_in_log", "connect", "record", "run_python", "start_python"]
