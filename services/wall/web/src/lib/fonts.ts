// The font comes in many small files, fetched as their characters appear. What the wall must be able to say when its server
// is gone has to be here before that.

import '@fontsource/noto-sans-sc/400.css';
import '@fontsource/noto-sans-sc/700.css';

const NEEDED =
  '0123456789.,:+−±%/·—大屏与服务器失去连接定格于第次重告警情况不明前有条无数据正常异路静默陈旧迟到停滞未接入末值秒分时天公交车' +
  '数据库画面可能等待应答求助限处置中另计算空余位共辆起通座来电率准点在线平均占用满场快照今日周一二三四五六月年以km源';

export function loadNeeded(): void {
  for (const weight of ['400', '700']) void document.fonts.load(`${weight} 40px "Noto Sans SC"`, NEEDED);
}
