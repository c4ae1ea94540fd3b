// An error in its place on the screen: the hop, the fact, the next step.

/** An error shown where it belongs, instead of as a notice. */
export function ErrorLine({ error }: { error: { message: string; hop?: string; hint?: string } }) {
  return (
    <p className="error-line" role="alert">
      {error.hop && <span className="hop">{error.hop}</span>}
      {error.message}
      {error.hint && <span className="muted"> {error.hint}</span>}
    </p>
  );
}
