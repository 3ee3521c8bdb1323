"""Three bodies on the figure-eight orbit: forces from an energy, stability from a Jacobian.

    python examples/nbody.py [folder]

Only the potential energy is written down. Its gradient gives the forces, and leapfrog integrates
them: energy is conserved for good, where Runge-Kutta of a higher order loses it. The Jacobian of
the whole motion over one period, a derivative of thousands of gradients, tells that the orbit is
stable: no eigenvalue lies off the unit circle. The orbit: A. Chenciner and R. Montgomery, "A
remarkable periodic solution of the three-body problem" (2000); its stability: C. Simó, "Dynamical
properties of the figure eight solution of the three-body problem" (2002).
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure

import gradarg as ga

PERIOD = 6.32591398
MASSES = np.ones(3)
PLACES = np.array([[0.97000436, -0.24308753], [-0.97000436, 0.24308753], [0.0, 0.0]])
VELOCITIES = np.array([[0.46620368, 0.43236573]] * 2 + [[-0.93240737, -0.86473146]])
START = np.array([PLACES, VELOCITIES])


def potential(places):
    """Of any number of bodies, each pair counted once; the constant of gravitation is 1."""
    i, j = np.triu_indices(len(MASSES), 1)
    distances = np.sqrt(np.sum((places[i] - places[j]) ** 2, 1))
    return -np.sum(MASSES[i] * MASSES[j] / distances)


slope = ga.grad(potential)


def energy(state):
    return np.sum(MASSES[:, None] * state[1] ** 2) / 2 + potential(state[0])


def acceleration(places):
    return -slope(places) / MASSES[:, None]


def leapfrog(state, dt):
    places, velocities = state
    velocities = velocities + dt / 2 * acceleration(places)
    places = places + dt * velocities
    return np.stack([places, velocities + dt / 2 * acceleration(places)])


def runge_kutta(state, dt):
    change = lambda s: np.stack([s[1], acceleration(s[0])])
    a = change(state)
    b = change(state + dt / 2 * a)
    c = change(state + dt / 2 * b)
    d = change(state + dt * c)
    return state + dt / 6 * (a + 2 * b + 2 * c + d)


def path(step, steps, dt):
    states = [START]
    for _ in range(steps):
        states.append(step(states[-1], dt))
    return np.array(states)


def after_one_period(state, steps=1000):
    for _ in range(steps):
        state = leapfrog(state, PERIOD / steps)
    return state


def main(folder="runs/examples"):
    turn = path(leapfrog, 300, PERIOD / 300)
    periods, steps = 30, 50
    drifts = {}
    for step in (leapfrog, runge_kutta):
        states = path(step, periods * steps, PERIOD / steps)
        drifts[step.__name__] = np.array([energy(s) / energy(START) - 1 for s in states])

    monodromy = ga.jacobian(after_one_period, mode="forward")(START).reshape(12, 12)
    multipliers = np.linalg.eigvals(monodromy)
    zero, eye = np.zeros((6, 6)), np.eye(6)
    form = np.block([[zero, eye], [-eye, zero]])  # equal masses: velocities are momenta
    symplectic = np.max(np.abs(monodromy.T @ form @ monodromy - form))
    rotation = np.max(np.angle(multipliers)) / (2 * np.pi)

    print(f"After one period the bodies are back within {np.max(np.abs(turn[-1] - START)):.1e}")
    print(f"{periods} periods of {steps} steps change the energy by up to")
    for name, drift in drifts.items():
        print(f"    {np.max(np.abs(drift[-steps:])):.1%} ({name})")
    print(f"Over a period, leapfrog keeps the symplectic form within {symplectic:.0e}")
    print(f"The multipliers lie within {np.max(np.abs(np.abs(multipliers) - 1)):.0e} of the unit")
    print(f"circle; the fastest turns by {rotation:.4f} of a circle in a period")

    draw(Path(folder), turn[:, 0], drifts, steps, multipliers)
    return {"turn": turn, "drifts": drifts, "monodromy": monodromy, "multipliers": multipliers,
            "rotation": rotation, "symplectic": symplectic}  # fmt: skip


def draw(folder, orbit, drifts, steps, multipliers):
    style.use(Path(__file__).with_name("gradarg.mplstyle"))
    figure = Figure(figsize=(13, 4.4))
    figure.suptitle("Three bodies: forces by ga.grad, stability by ga.jacobian")
    plane, drift, circle = figure.subplots(1, 3)

    third = len(orbit) // 3 + 1
    for body, mark in enumerate("os^"):
        plane.plot(*orbit[:third, body].T, f"C{body}-")
        plane.plot(*orbit[0, body], f"C{body}{mark}", markersize=9, label=f"body {body + 1}")
    plane.set(title="A third of a period", xlabel="x (length unit)", ylabel="y (length unit)")
    plane.set(aspect="equal", ylim=(-0.9, 0.9))
    plane.legend(loc="upper center", ncols=3, columnspacing=1)

    labels = {"leapfrog": "leapfrog, second order", "runge_kutta": "Runge-Kutta, fourth order"}
    for name, change in drifts.items():
        drift.plot(np.arange(len(change)) / steps, 100 * change, label=labels[name])
    drift.set(title=f"Energy, {steps} steps in a period", xlabel="time (periods)")
    drift.set(ylabel="change of the energy (%)")
    drift.legend(loc="upper left")

    angle = np.linspace(0, 2 * np.pi, 200)
    circle.plot(np.cos(angle), np.sin(angle), color="0.6")
    circle.plot(multipliers.real, multipliers.imag, "C1o")
    circle.set(title="Multipliers of a period", xlabel="real part", ylabel="imaginary part")
    circle.set_aspect("equal")

    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "nbody.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
