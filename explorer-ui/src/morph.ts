/**
 * A place along the front that follows its target like a critically damped spring: it starts and arrives gently, and may
 * be sent elsewhere on its way.
 */
export class Morph {
  place: number;
  private target: number;
  private speed = 0;
  private stiffness = 9;
  private last = 0;
  private frame = 0;

  constructor(
    place: number,
    private readonly moved: (place: number) => void | Promise<void>,
  ) {
    this.place = place;
    this.target = place;
  }

  /** Send to a place; `quick` for a hand on the slider, which wants to be followed closely. */
  go(target: number, how: "gentle" | "quick" | "at once"): void {
    this.target = target;
    if (how === "at once") {
      this.place = target;
      this.speed = 0;
      void this.moved(target);
      return;
    }
    this.stiffness = how === "quick" ? 28 : 9 / (1 + 0.1 * Math.max(0, Math.abs(target - this.place) - 1));
    if (!this.frame) {
      this.last = performance.now();
      this.frame = requestAnimationFrame(this.step);
    }
  }

  stop(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
  }

  private readonly step = async (now: number): Promise<void> => {
    // a slow frame slows the movement down rather than making it jump
    const dt = Math.min(Math.max(now - this.last, 0), 100) / 1000;
    this.last = now;
    const offset = this.place - this.target;
    const pull = this.speed + this.stiffness * offset;
    const decay = Math.exp(-this.stiffness * dt);
    this.place = this.target + (offset + pull * dt) * decay;
    this.speed = (this.speed - this.stiffness * pull * dt) * decay;
    const arrived = Math.abs(this.place - this.target) < 5e-4 && Math.abs(this.speed) < 5e-3;
    if (arrived) {
      this.place = this.target;
      this.speed = 0;
    }
    await this.moved(this.place);
    this.frame = arrived && this.place === this.target ? 0 : requestAnimationFrame(this.step);
  };
}

/** Whether the reader asked for less motion. */
export function wantsLessMotion(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
