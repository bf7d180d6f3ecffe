/** The version of this package, as results carry it; `npm run check` holds it equal to package.json's. */
export const version: string = "0.1.0";
