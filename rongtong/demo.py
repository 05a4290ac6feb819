"""The demo city from nothing to a published snapshot, and Airflow's web interface on the same DAGs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from rongtong import steps, summary
from rongtong.airflow_environment import airflow_environment, web_login
from rongtong.airflow_street import run_street
from rongtong.console import Reporter, complain
from simulation.city import build_city, finalise_truth
from simulation.score import render, score
from simulation.systems.start import RunningSystems, start_systems
from warehouse import history
from warehouse.home import PROJECT, Home

FAILED, WRONG_USE, REFUSED = 1, 2, 3
WEB_START_SECONDS = 180


def city_folder(home: Home, persons: int, seed: int) -> Path:
    """Where the demo city of this size and seed lies; another city is another folder."""
    return home.demo / f"city-{persons}-{seed}"


def why_home_is_taken(home: Home, persons: int, seed: int) -> str | None:
    """One sentence when the home holds what something else than this city has landed: two cities never mix."""
    if city_folder(home, persons, seed).exists() or not home.landing.exists() or not any(home.landing.iterdir()):
        return None
    return (
        f"demo: {home.root} holds what another city, or sources of your own, have landed; "
        f"name a home of its own, for example RONGTONG_HOME=./var-{persons}-{seed}."
    )


def prepare_city(home: Home, persons: int, seed: int, reporter: Reporter) -> dict[str, Any]:
    """Build the city once; a second demo finds it. Returns its facts (``as_of``, counts)."""
    folder = city_folder(home, persons, seed)
    facts_file = folder / "city.json"
    if not facts_file.exists():
        shutil.rmtree(folder, ignore_errors=True)
        home.private_folder(folder)
        with reporter.step(f"inventing a city of {persons:,} persons") as progress:
            build_city(folder, persons=persons, seed=seed, progress=lambda done, total: progress(done, total, ""))
    facts: dict[str, Any] = json.loads(facts_file.read_text(encoding="utf-8"))
    return facts


def start_city(home: Home, persons: int, seed: int, reporter: Reporter) -> RunningSystems:
    """The four systems of the city, running on loopback."""
    folder = city_folder(home, persons, seed)
    with reporter.step("starting the four systems: PostgreSQL, HTTP API, district files, elderly care") as progress:
        systems = start_systems(
            folder,
            home.private_folder(home.demo / "systems"),
            seed=seed,
            progress=lambda text: progress(0, None, text),
        )
    finalise_truth(folder, systems.positions, folder / "truth")
    return systems


def _leave_on_terminate() -> None:
    """Leave by an exception when told to end, so that every server that was started is stopped on the way out."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def run_demo(home: Home, persons: int, seed: int, *, score_it: bool) -> int:
    """The headless demo; returns the exit code of the command."""
    if (taken := why_home_is_taken(home, persons, seed)) is not None:
        complain(taken)
        return WRONG_USE
    _leave_on_terminate()
    reporter = Reporter()
    began = time.monotonic()
    facts = prepare_city(home, persons, seed, reporter)
    with start_city(home, persons, seed, reporter) as systems:
        code = _through_airflow(home, systems.environment, str(facts["as_of"]), reporter)
    if code == 0 and score_it:
        exported, city = home.demo / "export", city_folder(home, persons, seed)
        history.export(home, exported)
        reporter.console.print(render(score(exported, city / "truth", city)))
    reporter.say(f"[dim]{time.monotonic() - began:.0f} s[/]")
    return code


def _through_airflow(home: Home, connections: dict[str, str], as_of: str, reporter: Reporter) -> int:
    before = steps.last_run(home)
    code = FAILED
    errors: list[str] = []
    reporter.say("running the DAGs through Airflow")
    with reporter.console.status("preparing Airflow's database") as line:
        for event in run_street(home, connections, as_of):
            if event["event"] == "progress":
                line.update(f"{event['text']} {event['done']:,}" + (f"/{event['total']:,}" if event["total"] else ""))
            elif event["event"] == "task" and event["state"] == "running":
                line.update(f"{event['dag']} · {event['task']}")
            elif event["event"] == "task":
                mark = "[green]✓[/]" if event["state"] == "success" else "[red]✗[/]"
                reporter.say(f"{mark} {event['dag']} · {event['task']}  [dim]{event['seconds']:.1f} s[/]")
                if event.get("error"):
                    errors.append(event["error"])
            elif event["event"] == "broken":
                errors.append(f"Airflow cannot read {', '.join(event['files'])}; mend the file.")
            elif event["event"] == "exit":
                code = event["code"]
    run = steps.last_run(home)
    if run is not None and run != before and (outcome := steps.outcome_of(home, run.run_id)) is not None:
        summary.show(reporter.console, home, outcome)
        if not outcome["passed"]:
            reporter.console.print(outcome["breaches"], markup=False)
            return REFUSED
    for sentence in errors:
        complain(sentence)
    if code != 0:
        complain(f"the demo did not reach its end; Airflow's log is {home.airflow / 'street.log'}.")
        return FAILED
    return 0


def run_web_interface(home: Home, persons: int, seed: int, port: int) -> int:
    """Start the city and Airflow's services, tell where to look, and stay until Ctrl-C; then stop both."""
    if (taken := why_home_is_taken(home, persons, seed)) is not None:
        complain(taken)
        return WRONG_USE
    _leave_on_terminate()
    reporter = Reporter()
    facts = prepare_city(home, persons, seed, reporter)
    with start_city(home, persons, seed, reporter) as systems:
        environment = os.environ | airflow_environment(home) | systems.environment
        environment |= {
            "AIRFLOW__API__PORT": str(port),
            # The city's records end on that day.
            "RONGTONG_AS_OF": str(facts["as_of"]),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        }
        with (home.airflow / "web.log").open("w", encoding="utf-8") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "airflow", "standalone"],
                env=environment,
                cwd=PROJECT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                return _stay(child, home, port, reporter)
            except KeyboardInterrupt:
                reporter.say("\nstopping Airflow and the city")
                return 0
            finally:
                _end_group(child)


def _stay(child: subprocess.Popen[bytes], home: Home, port: int, reporter: Reporter) -> int:
    with reporter.step("starting Airflow (about a minute)") as progress:
        for waited in range(WEB_START_SECONDS):
            if child.poll() is not None:
                complain(f"Airflow stopped at once; read {home.airflow / 'web.log'}; is port {port} taken? try --port.")
                return FAILED
            if _answers(port):
                break
            progress(waited, WEB_START_SECONDS, "")
            time.sleep(1)
    user, password = web_login(home)
    reporter.say(f"Airflow is at http://127.0.0.1:{port}  user {user}  password {password}   (Ctrl-C stops everything)")
    return child.wait()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/version", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _end_group(child: subprocess.Popen[bytes]) -> None:
    # Airflow standalone leaves children behind when only the parent is ended.
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, sign)
        except ProcessLookupError:
            return
        try:
            child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            continue
