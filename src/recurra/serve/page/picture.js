// Pictures in the browser: files as they are shown, and as a stream takes them.

const SIDE = 512; // pixels a side, more than any captioner looks at
const SMALLER = [1, 0.75, 0.5, 0.25, 0.125];
const QUALITIES = [0.92, 0.8, 0.6]; // of JPEG, one after the other where it takes too much
const BESIDE = 256; // bytes of a frame beside the picture
const SMALL = "The server’s frames are too small for a picture. Start it with a larger --max-frame.";
export const ENDINGS = ".jpg,.jpeg,.png,.webp,.gif,.bmp,.tif,.tiff,.ppm,image/*";

// The picture in a file, turned as its camera was held. Rejects with a sentence.
export async function opened(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    throw new Error(`expected a picture that this browser can read, got ${file.name}. Save it as JPEG or PNG.`);
  }
}

// A file in base64 that a frame has room for: as it is, where it is small; else smaller, and as JPEG.
export async function encoded(file, image, frame) {
  const most = Math.floor(((frame - BESIDE) * 3) / 4);
  const large = Math.max(image.width, image.height);
  if (file.size <= most && large <= SIDE) return base64(file);
  for (const smaller of SMALLER) {
    const canvas = drawn(image, SIDE * smaller, "white");
    for (const quality of QUALITIES) {
      const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
      if (blob && blob.size <= most) return base64(blob);
    }
  }
  throw new Error(SMALL);
}

// A canvas with the picture, of at most so many pixels a side. ground: what it stands on, where one sees through.
export function drawn(image, most, ground = null) {
  const scale = Math.min(1, most / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  if (ground) {
    context.fillStyle = ground;
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Error("expected a file that can be read, got one that cannot. Choose it again."));
    reader.readAsDataURL(blob);
  });
}

// Pictures that are pasted while an element can be seen. take(file): is given each.
export function pasted(element, take) {
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (!files.length || !element.checkVisibility()) return;
    event.preventDefault();
    for (const file of files) take(file);
  });
}
