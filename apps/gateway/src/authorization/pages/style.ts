/** The one style sheet of the pages. Dark letters on white: contrast 12 to 1. */
export const STYLE = `
:root { color-scheme: light; font: 1.05rem/1.5 system-ui, sans-serif; color: #1b2a33; background: #f3f5f6; }
body { margin: 0; }
main { max-width: 34rem; margin: 2rem auto; padding: 1.5rem 2rem 2rem; background: #fff; border-radius: 0.5rem; }
h1 { font-size: 1.5rem; line-height: 1.25; }
label, legend { font-weight: 600; }
input[type='text'], input[type='password'], input[type='date'] {
  display: block; box-sizing: border-box; width: 100%; margin: 0.25rem 0 1rem; padding: 0.5rem; font: inherit;
  border: 1px solid #5b6b75; border-radius: 0.25rem;
}
fieldset { border: 1px solid #c5ced3; border-radius: 0.25rem; margin: 0 0 1rem; }
fieldset label { display: block; font-weight: 400; margin: 0.35rem 0; }
button { font: inherit; padding: 0.5rem 1.25rem; margin: 0 0.5rem 0.5rem 0; border-radius: 0.25rem; border: 1px solid #0b5a7a; background: #fff; color: #0b5a7a; }
button.first { background: #0b5a7a; color: #fff; }
:focus-visible { outline: 3px solid #d97706; outline-offset: 2px; }
[role='alert'] { border-left: 4px solid #a3201d; padding: 0.5rem 0.75rem; background: #fbeceb; }
.quiet { color: #43535c; font-size: 0.95rem; }
`;
