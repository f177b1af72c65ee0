// The field: lines that are drawn in it, or a picture that is opened, pasted or dropped.

"use strict";

class Field {
  // strokes: whether one can draw. whenGiven(picture): called with numbers in [-1, 1] of the shape;
  // with null when the field is cleared. whenRefused(words): called with what is wrong.
  constructor(shape, strokes, whenGiven, whenRefused) {
    this.shape = shape;
    this.strokes = strokes;
    this.whenGiven = whenGiven;
    this.whenRefused = whenRefused;
    this.canvas = element("field");
    this.drop = element("drop");
    this.lines = [];
    if (strokes) this.listenToPen();
    this.listenToFiles();
    element("clear").addEventListener("click", () => this.clear());
    this.clear();
  }

  clear() {
    this.lines = [];
    this.blank();
    element("hint").hidden = false;
    this.whenGiven(null);
  }

  // An empty field, as fine as the screen.
  blank() {
    const box = this.canvas.getBoundingClientRect();
    const fine = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(box.width * fine) || 1;
    this.canvas.height = Math.round(box.height * fine) || 1;
  }

  // ---------------------------------------------------------------- lines

  listenToPen() {
    const {canvas} = this;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      if (!this.lines.length) this.blank();                     // takes a picture away
      this.lines.push([]);
      this.pressed = true;
      this.follow(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.pressed) this.follow(event);
    });
    for (const type of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(type, () => {
        if (this.pressed) this.given();
        this.pressed = false;
      });
    }
  }

  // Make the last line longer, unless the pointer has hardly moved.
  follow(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const y = (event.clientY - box.top) / box.height;
    const line = this.lines[this.lines.length - 1];
    const [lastX, lastY] = line.slice(-2);
    if (Math.hypot(x - lastX, y - lastY) < 0.008) return;
    line.push(x, y);
    element("hint").hidden = true;
    this.drawEnd(line);
  }

  // The last piece of a line, as thick as the pen.
  drawEnd(line) {
    const {width, height} = this.canvas;
    const context = this.canvas.getContext("2d");
    context.lineCap = "round";
    context.lineWidth = PEN * width;
    context.strokeStyle = "#fff";
    const [x, y] = line.slice(-2);
    const [beforeX, beforeY] = line.length > 2 ? line.slice(-4) : [x, y];
    context.beginPath();
    context.moveTo(beforeX * width, beforeY * height);
    context.lineTo(x * width, y * height);
    context.stroke();
  }

  given() {
    const [height, width, channels] = this.shape;
    const square = this.lines.map((line) => line.map((x, i) => x * (i % 2 ? height : width)));
    const ink = inked(square, height, width);
    this.whenGiven(Float32Array.from({length: ink.length * channels},
                                     (_, i) => 2 * ink[Math.floor(i / channels)] - 1));
  }

  // ---------------------------------------------------------------- files

  listenToFiles() {
    element("file").addEventListener("change", (event) => {
      this.open(event.target.files[0]);
      event.target.value = "";                                  // the same file can be opened again
    });
    document.addEventListener("paste", (event) => this.open(event.clipboardData.files[0]));
    for (const type of ["dragover", "dragleave", "drop"]) {
      this.drop.addEventListener(type, (event) => {
        event.preventDefault();
        this.drop.classList.toggle("over", type === "dragover");
        if (type === "drop") this.open(event.dataTransfer.files[0]);
      });
    }
  }

  // Read a file that should be a picture.
  open(file) {
    if (!file) return;
    const image = new Image();
    image.onload = () => {
      URL.revokeObjectURL(image.src);
      this.show(image);
    };
    image.onerror = () => {
      this.whenRefused(`${file.name} is not a picture that this browser can read.`);
    };
    image.src = URL.createObjectURL(file);
  }

  show(image) {
    const picture = this.strokes ? handwriting(image, this.shape) : photograph(image, this.shape);
    if (!picture) {
      this.whenRefused("There are no strokes in this picture: all of it is like its border.");
      return;
    }
    this.lines = [];
    element("hint").hidden = true;
    const {width, height} = this.canvas;
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    const scale = Math.min(width / image.width, height / image.height);
    const size = [image.width * scale, image.height * scale];
    context.drawImage(image, (width - size[0]) / 2, (height - size[1]) / 2, ...size);
    this.whenGiven(picture);
  }
}
