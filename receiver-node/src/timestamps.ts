/** Timestamps to the microsecond, as texts in UTC that compare in their order. */

const TIMESTAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:Z|([+-])(\d\d):(\d\d))$/;
const DATE = /^\d{4}-\d\d-\d\d$/;
const UTC = /^(.{19})(?:\.(\d{6}))?\+00:00$/;

/** Whether a text is a date that there is. */
export function isDate(text: string): boolean {
  return DATE.test(text) && secondsOf(`${text}T00:00:00`) !== null;
}

/** The same moment in UTC, with six decimals or none; null for what is no timestamp with seconds and an offset. */
export function toUtc(text: string): string | null {
  const found = TIMESTAMP.exec(text);
  if (found === null) return null;
  const [, local = "", decimals = "", sign, hours = "0", minutes = "0"] = found;
  const seconds = secondsOf(local);
  if (seconds === null || Number(hours) > 23 || Number(minutes) > 59) return null;
  const offset = (Number(hours) * 60 + Number(minutes)) * 60 * (sign === "-" ? -1 : 1);
  return format(seconds - offset, decimals.padEnd(6, "0"));
}

/** The moment so many seconds after one that `toUtc` made; null beyond the year 9999. */
export function plusSeconds(utc: string, seconds: number): string | null {
  const [, local = "", micros = "000000"] = UTC.exec(utc) ?? [];
  return format((secondsOf(local) ?? NaN) + seconds, micros);
}

/** The microseconds since the year 1 of a moment that `toUtc` made. */
export function microsecondsOf(utc: string): bigint {
  const [, local = "", micros = "0"] = UTC.exec(utc) ?? [];
  return BigInt((secondsOf(local) ?? NaN) - YEAR_1) * 1_000_000n + BigInt(micros);
}

/** The seconds since the epoch of a moment that `toUtc` made. */
export function epochSeconds(utc: string): number {
  const [, local = "", micros = "0"] = UTC.exec(utc) ?? [];
  return (secondsOf(local) ?? NaN) + Number(micros) / 1_000_000;
}

const YEAR_1 = Date.parse("0001-01-01T00:00:00Z") / 1000;

/** The whole seconds since the epoch of `YYYY-MM-DDThh:mm:ss` in UTC; null for a moment that there is not. */
function secondsOf(local: string): number | null {
  const milliseconds = Date.parse(`${local}Z`);
  // `Date` makes the 2nd of March of the 30th of February.
  if (Number.isNaN(milliseconds) || new Date(milliseconds).toISOString().slice(0, 19) !== local) return null;
  return local < "0001" ? null : milliseconds / 1000;
}

function format(seconds: number, micros: string): string | null {
  const date = new Date(seconds * 1000);
  const year = date.getUTCFullYear();
  if (Number.isNaN(year) || year < 1 || year > 9999) return null;
  return `${date.toISOString().slice(0, 19)}${micros === "000000" ? "" : `.${micros}`}+00:00`;
}
