// Handlebars 3 came without types.

declare module 'handlebars3' {
  const Handlebars: { VERSION: string; compile(template: string): (data: object) => string };
  export default Handlebars;
}
