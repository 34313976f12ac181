import { TranslationBundle } from '@jupyterlab/translation';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Dates in the school's zone and the reader's language. */
export class Dates {
  constructor(
    private readonly locale: string,
    private readonly trans: TranslationBundle
  ) {}

  /** e.g. "Fri 27 Nov, 23:59": the instant on the school's clock; with the year when it is another year. */
  short(instant: string, zone: string): string {
    const thisYear = new Date(instant).getFullYear() === new Date().getFullYear();
    return this.format(instant, zone, {
      weekday: 'short',
      year: thisYear ? undefined : 'numeric',
      day: 'numeric',
      month: 'short',
      hour: '2-digit',
      minute: '2-digit'
    });
  }

  /** With year and seconds, as a receipt needs it. */
  exact(instant: string, zone: string): string {
    return this.format(instant, zone, { dateStyle: 'medium', timeStyle: 'medium' });
  }

  /** e.g. "2 days left", "5 hours left", "less than an hour left"; empty when far away or over. */
  left(instant: string, now: number): string {
    const left = Date.parse(instant) - now;
    if (left <= 0 || left > 14 * DAY_MS) {
      return '';
    }
    if (left < HOUR_MS) {
      return this.trans.__('less than an hour left');
    }
    const unit = left < 2 * DAY_MS ? HOUR_MS : DAY_MS;
    const count = Math.floor(left / unit);
    return unit === HOUR_MS
      ? this.trans._n('%1 hour left', '%1 hours left', count)
      : this.trans._n('%1 day left', '%1 days left', count);
  }

  private format(instant: string, zone: string, options: Intl.DateTimeFormatOptions): string {
    const when = new Date(instant);
    try {
      return new Intl.DateTimeFormat(this.locale, { timeZone: zone, ...options, hourCycle: 'h23' }).format(when);
    } catch {
      return when.toISOString(); // a zone or locale that this browser does not know
    }
  }
}
