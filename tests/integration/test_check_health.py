"""jitney --check-health: what a container without a shell is asked by."""
import signal
import socket
import subprocess
import threading

from jitney_server import binary, clean_environment, wait_until


def check(*flags, env=None):
    return subprocess.run(
        [binary(), *flags, "--check-health"], env=clean_environment(env), capture_output=True, text=True,
        timeout=30, stdin=subprocess.DEVNULL,
    )


def listen_flag(server):
    host, port = server.address
    return f"--listen={host}:{port}"


def test_a_server_that_serves_is_ready(start):
    server = start()
    result = check(listen_flag(server))
    assert (result.returncode, result.stderr) == (0, ""), result
    assert result.stdout.endswith(": ready\n"), result


def test_it_reads_the_configuration_of_the_server(start):
    host, port = start().address
    assert check(env={"JITNEY_LISTEN": f"{host}:{port}"}).returncode == 0


def test_any_address_means_this_machine(start):
    port = start(listen="0.0.0.0:0").address[1]
    assert check(f"--listen=0.0.0.0:{port}").returncode == 0


def test_a_unix_socket_is_asked_too(start):
    server = start(unix=True)
    assert check(f"--listen=unix:{server.unix_path}").returncode == 0
    missing = check("--listen=unix:/nowhere/jitney.sock")
    assert missing.returncode == 1 and "No such file" in missing.stdout, missing


def test_a_server_that_drains_is_not_ready(start):
    server = start(flags={"--drain-delay": "30s"})
    server.signal(signal.SIGTERM)
    wait_until(lambda: check(listen_flag(server)).returncode == 1, "the drain to be told")
    assert "503" in check(listen_flag(server)).stdout
    server.kill()


def test_nobody_there_is_not_ready():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        result = check(f"--listen=127.0.0.1:{unused.getsockname()[1]}")
    assert result.returncode == 1 and "refused" in result.stdout, result


def test_one_that_hangs_up_or_says_something_else_is_not_ready():
    for said in (b"", b"HTTP/1.1 200", b"SSH-2.0-x\r\n"):
        with socket.create_server(("127.0.0.1", 0)) as other:

            def answer():
                connection, _ = other.accept()
                with connection:
                    connection.recv(1024)
                    connection.sendall(said)

            thread = threading.Thread(target=answer)
            thread.start()
            result = check(f"--listen=127.0.0.1:{other.getsockname()[1]}")
            thread.join()
            assert result.returncode == 1, (said, result)


def test_one_that_says_nothing_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        result = check(f"--listen=127.0.0.1:{silent.getsockname()[1]}")
    assert result.returncode == 1 and "no answer" in result.stdout, result


def test_a_bad_configuration_is_told_as_ever():
    assert check("--listen=nowhere").returncode == 2
